"""confluent-kafka (librdkafka): python confluent.py HOST:PORT"""

import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition, libversion, version
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType)

import stories
from stories import PATIENCE, Record, name, told, want

ADDR = sys.argv[1]
admin = AdminClient({"bootstrap.servers": ADDR})


def record(m):
    if m.error():
        raise KafkaException(m.error())
    return Record(m.partition(), m.key(), m.value(), m.headers() or [], m.timestamp()[1])


class Confluent:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, at=None, **settings):
        self.at = at or {"bootstrap.servers": ADDR}
        self.settings = settings

    def create(self, topic, partitions):
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE)

    def produce(self, topic, codec, records):
        failed = []
        p = Producer({**self.at, "compression.type": codec, "linger.ms": 5, "enable.idempotence": True})
        for r in records:
            p.produce(topic, partition=r.partition, key=r.key, value=r.value, headers=r.headers, timestamp=r.ms or 0,
                      on_delivery=lambda error, _: error and failed.append(error))
        want("messages left", p.flush(PATIENCE), 0)
        want("errors of messages", failed, [])

    def consume(self, topic, partition, offset, n):
        c = Consumer({**self.at, "group.id": name("unused"), "enable.auto.commit": False, "check.crcs": True})
        c.assign([TopicPartition(topic, partition, offset)])
        got = []
        while len(got) < n:
            batch = c.consume(n - len(got), PATIENCE)
            want("messages before the time is over", bool(batch), True)
            got += [record(m) for m in batch]
        c.close()
        return got

    def offset_at(self, topic, partition, ms):
        c = Consumer({"bootstrap.servers": ADDR, "group.id": name("unused")})
        found = c.offsets_for_times([TopicPartition(topic, partition, ms)], PATIENCE)
        c.close()
        return found[0].offset

    def member(self, group, topic):
        return Member({"bootstrap.servers": ADDR, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                       "fetch.wait.max.ms": 100, "topic.metadata.refresh.interval.ms": 500, "allow.auto.create.topics": True, **self.settings}, topic)


class Member:
    def __init__(self, settings, topic):
        self.c = Consumer(settings)
        self.c.subscribe([topic])

    def poll(self):
        return [record(m) for m in self.c.consume(500, 0.1) if not (m.error() and m.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART)]

    def commit(self):
        self.c.commit(asynchronous=False)

    def partitions(self):
        return len(self.c.assignment())

    def close(self):
        self.c.close()


def administration(client):
    topic, group = name("admin"), name("group")
    client.create(topic, 2)
    try:
        client.create(topic, 2)
        want("the same topic twice", "made", "refused")
    except KafkaException as e:
        want("the same topic twice", e.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(PATIENCE)
    want("partitions", len(admin.list_topics(topic, PATIENCE).topics[topic].partitions), 3)
    described = list(admin.describe_topics(__import__("confluent_kafka").TopicCollection([topic])).values())[0].result(PATIENCE)
    want("partitions described", len(described.partitions), 3)
    want("nodes", len(admin.describe_cluster().result(PATIENCE).nodes), 1)
    told("topics: create, grow, describe, cluster")
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("retention.ms", "60000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)])
    admin.incremental_alter_configs([resource])[resource].result(PATIENCE)
    asked = ConfigResource(ResourceType.TOPIC, topic)
    shown = admin.describe_configs([asked])[asked].result(PATIENCE)
    want("settings", (shown["retention.ms"].value, shown["cleanup.policy"].value), ("60000", "delete,compact"))
    broker = ConfigResource(ResourceType.BROKER, "1")
    want("the broker's settings", "num.partitions" in admin.describe_configs([broker])[broker].result(PATIENCE), True)
    told("settings: alter, describe")
    client.produce(topic, "none", [Record(i % 3, b"k", b"line", [], None) for i in range(30)])
    cut = admin.delete_records([TopicPartition(topic, 1, 4)])
    want("the low watermark", list(cut.values())[0].result(PATIENCE).low_watermark, 4)
    listed = admin.list_offsets({TopicPartition(topic, 1): OffsetSpec.earliest()})
    want("the earliest offset", list(listed.values())[0].result(PATIENCE).offset, 4)
    listed = admin.list_offsets({TopicPartition(topic, 1): OffsetSpec.max_timestamp()})
    want("the offset of the newest time", list(listed.values())[0].result(PATIENCE).offset in range(10), True)
    told("records: delete, list offsets")
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])])[group].result(PATIENCE)
    want("the group's offset", admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])])[group]
         .result(PATIENCE).topic_partitions[0].offset, 7)
    want("the group is listed", group in [g.group_id for g in admin.list_consumer_groups().result(PATIENCE).valid], True)
    want("the group's state", admin.describe_consumer_groups([group])[group].result(PATIENCE).state.name, "EMPTY")
    admin.delete_consumer_groups([group])[group].result(PATIENCE)
    told("groups: alter offsets, list, describe, delete")
    admin.delete_topics([topic])[topic].result(PATIENCE)
    told("topics: delete")


def transactions(client):
    source, target, group = name("source"), name("target"), name("group")
    client.create(source, 1)
    client.create(target, 1)
    client.produce(source, "none", stories.lines(0, 100, 1))
    c = Consumer({"bootstrap.servers": ADDR, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed"})
    c.subscribe([source])
    p = Producer({"bootstrap.servers": ADDR, "transactional.id": name("id"), "linger.ms": 5})
    p.init_transactions(PATIENCE)
    moved, turn = 0, 0
    while moved < 100:
        batch = c.consume(25, PATIENCE)
        p.begin_transaction()
        for m in batch:
            p.produce(target, record(m).value)
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), PATIENCE)
        if turn % 2 == 0:  # the first try of each is given up
            p.abort_transaction(PATIENCE)
            for tp in c.committed(c.assignment(), PATIENCE):
                c.seek(TopicPartition(tp.topic, tp.partition, max(tp.offset, 0)))
        else:
            p.commit_transaction(PATIENCE)
            moved += len(batch)
        turn += 1
    c.close()
    reader = Consumer({"bootstrap.servers": ADDR, "group.id": name("reader"), "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    reader.assign([TopicPartition(target, 0, 0)])
    got = []
    while len(got) < 100:
        got += [record(m).value for m in reader.consume(100 - len(got), PATIENCE)]
    reader.close()
    want("what was committed", got, [b"line %d" % i for i in range(100)])
    told("transactions: from topic to topic with offsets, commit, abort")


def login(address, ca, mechanism, user, password):
    return Confluent({"bootstrap.servers": address, "security.protocol": "SASL_SSL", "ssl.ca.location": ca, "sasl.mechanisms": mechanism,
                      "sasl.username": user, "sasl.password": password})


if __name__ == "__main__":
    began = time.monotonic()
    print("confluent-kafka", version()[0] if isinstance(version(), tuple) else version(), "librdkafka", libversion()[0], flush=True)
    plain = Confluent()
    stories.codecs(plain)
    stories.times(plain)
    stories.groups(plain)
    stories.groups(Confluent(**{"partition.assignment.strategy": "cooperative-sticky"}))
    stories.groups(Confluent(**{"group.protocol": "consumer"}), again=True)
    told("a group that the broker divides (group.protocol=consumer)")
    stories.early(plain)
    administration(plain)
    transactions(plain)
    stories.secured(login)
    print(f"done in {time.monotonic() - began:.1f} s")
