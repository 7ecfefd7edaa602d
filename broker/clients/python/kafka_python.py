"""kafka-python, of today and of 2020: python kafka_python.py HOST:PORT"""

import sys
import time

if sys.version_info >= (3, 12):  # which no longer finds the copy of six that kafka-python 2.0.2 brings
    import six
    sys.modules["kafka.vendor.six.moves"] = six.moves

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

import stories
from stories import Record, name, told, want

ADDR = sys.argv[1]
OLD = kafka.__version__.startswith("2.0.")
admin = KafkaAdminClient(bootstrap_servers=ADDR)


def record(m):
    return Record(m.partition, m.key, m.value, list(m.headers), m.timestamp)


def position(offset):
    return OffsetAndMetadata(offset, "") if OLD else OffsetAndMetadata(offset, "", -1)


class KafkaPython:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, **at):
        self.at = at or {"bootstrap_servers": ADDR}

    def create(self, topic, partitions):
        admin.create_topics([NewTopic(topic, partitions, 1)])

    def produce(self, topic, codec, records):
        p = KafkaProducer(**self.at, compression_type=None if codec == "none" else codec, acks="all", linger_ms=5)
        sent = [p.send(topic, r.value, r.key, r.headers, r.partition, r.ms) for r in records]
        for s in sent:
            s.get(stories.PATIENCE)
        p.close()

    def consume(self, topic, partition, offset, n):
        c = KafkaConsumer(**self.at, fetch_max_wait_ms=100, consumer_timeout_ms=stories.PATIENCE * 1000)
        c.assign([TopicPartition(topic, partition)])
        c.seek(TopicPartition(topic, partition), offset)
        got = [record(m) for _, m in zip(range(n), c)]
        c.close()
        return got

    def offset_at(self, topic, partition, ms):
        c = KafkaConsumer(bootstrap_servers=ADDR)
        found = c.offsets_for_times({TopicPartition(topic, partition): ms})
        c.close()
        return list(found.values())[0].offset

    def member(self, group, topic):
        return Member(topic, {"bootstrap_servers": ADDR, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False,
                              "heartbeat_interval_ms": 200, "fetch_max_wait_ms": 100, "metadata_max_age_ms": 1000})


class Member:
    def __init__(self, topic, settings):
        self.c = KafkaConsumer(topic, **settings)

    def poll(self):
        return [record(m) for batch in self.c.poll(100).values() for m in batch]

    def commit(self):
        self.c.commit()

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
    except TopicAlreadyExistsError:
        pass
    admin.create_partitions({topic: NewPartitions(3)})
    want("partitions", len(admin.describe_topics([topic])[0]["partitions"]), 3)
    want("the topic is listed", topic in admin.list_topics(), True)
    want("nodes", len(admin.describe_cluster()["brokers"]), 1)
    told("topics: create, grow, describe, list, cluster")
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "60000"})])
    shown = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None} if OLD else ["retention.ms"])]))
    want("settings", "retention.ms" in shown and "60000" in shown, True)
    told("settings: alter, describe")
    client.produce(topic, "none", stories.lines(0, 30, 3))
    at = TopicPartition(topic, 1)
    if not OLD:
        admin.delete_records({at: 4})
        c = KafkaConsumer(bootstrap_servers=ADDR)
        want("the oldest and the newest offset", (c.beginning_offsets([at])[at], c.end_offsets([at])[at]), (4, 10))
        c.close()
        told("records: delete")
    c = KafkaConsumer(bootstrap_servers=ADDR, group_id=group, enable_auto_commit=False)
    c.assign([at])
    c.commit({at: position(7)})
    c.close()
    want("the group's offset", admin.list_consumer_group_offsets(group)[at].offset if OLD else offsets_of(group, at), 7)
    want("the group is listed", group in str(admin.list_consumer_groups() if OLD else admin.list_groups()), True)
    want("the group's state", "Empty" in str(admin.describe_consumer_groups([group]) if OLD else admin.describe_groups([group])), True)
    (admin.delete_consumer_groups if OLD else admin.delete_groups)([group])
    admin.delete_topics([topic])
    told("groups: offsets, list, describe, delete; topics: delete")


def offsets_of(group, at):
    listed = admin.list_group_offsets({group: [at]})
    return listed.get(group, listed)[at].offset


def login(address, ca, mechanism, user, password):
    return KafkaPython(bootstrap_servers=address, security_protocol="SASL_SSL", ssl_cafile=ca, sasl_mechanism=mechanism,
                       sasl_plain_username=user, sasl_plain_password=password)


if __name__ == "__main__":
    began = time.monotonic()
    print("kafka-python", kafka.__version__, flush=True)
    plain = KafkaPython()
    stories.codecs(plain)
    stories.times(plain)
    stories.groups(plain, again=OLD)
    stories.early(plain)
    administration(plain)
    stories.secured(login)
    print(f"done in {time.monotonic() - began:.1f} s")
