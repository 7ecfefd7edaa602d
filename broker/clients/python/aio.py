"""aiokafka: python aio.py HOST:PORT"""

import asyncio
import sys
import threading
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.helpers import create_ssl_context
from aiokafka.errors import IllegalStateError, TopicAlreadyExistsError

import stories
from stories import PATIENCE, Record, name, told, want

ADDR = sys.argv[1]
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def wait(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)


def record(m):
    return Record(m.partition, m.key, m.value, list(m.headers), m.timestamp)


async def started(thing):
    await thing.start()
    return thing


async def make(of, *args, **settings):
    return await started(of(*args, **{"bootstrap_servers": ADDR, **settings}))


admin = wait(make(AIOKafkaAdminClient))


class AIOKafka:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, **at):
        self.at = at

    def create(self, topic, partitions):
        answer = wait(admin.create_topics([NewTopic(topic, partitions, 1)]))
        if answer.topic_errors[0][1] == TopicAlreadyExistsError.errno:
            raise TopicAlreadyExistsError
        want("the error of a new topic", answer.topic_errors[0][1], 0)

    def produce(self, topic, codec, records):
        wait(self._produce(topic, codec, records))

    async def _produce(self, topic, codec, records):
        p = await make(AIOKafkaProducer, compression_type=None if codec == "none" else codec, enable_idempotence=True, linger_ms=5, **self.at)
        await asyncio.gather(*[await p.send(topic, r.value, r.key, r.partition, r.ms, r.headers) for r in records])
        await p.stop()

    def consume(self, topic, partition, offset, n):
        return wait(self._consume(topic, partition, offset, n))

    async def _consume(self, topic, partition, offset, n, **settings):
        c = await make(AIOKafkaConsumer, fetch_max_wait_ms=100, **self.at, **settings)
        c.assign([TopicPartition(topic, partition)])
        c.seek(TopicPartition(topic, partition), offset)
        got = [record(await c.getone()) for _ in range(n)]
        await c.stop()
        return got

    def offset_at(self, topic, partition, ms):
        async def ask():
            c = await make(AIOKafkaConsumer)
            found = await c.offsets_for_times({TopicPartition(topic, partition): ms})
            await c.stop()
            return list(found.values())[0].offset
        return wait(ask())

    def member(self, group, topic):
        return Member(wait(make(AIOKafkaConsumer, topic, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                                heartbeat_interval_ms=200, fetch_max_wait_ms=100, metadata_max_age_ms=1000)))


class Member:
    def __init__(self, c):
        self.c = c

    def poll(self):
        got = wait(self.c.getmany(timeout_ms=100))
        return [record(m) for batch in got.values() for m in batch]

    def commit(self):
        try:
            wait(self.c.commit())
        except IllegalStateError:  # between two generations nothing is assigned
            pass

    def partitions(self):
        return len(self.c.assignment())

    def close(self):
        wait(self.c.stop())


def administration(client):
    topic, group = name("admin"), name("group")
    client.create(topic, 2)
    try:
        client.create(topic, 2)
        want("the same topic twice", "made", "refused")
    except TopicAlreadyExistsError:
        pass
    wait(admin.create_partitions({topic: NewPartitions(3)}))
    want("partitions", len(wait(admin.describe_topics([topic]))[0]["partitions"]), 3)
    want("the topic is listed", topic in wait(admin.list_topics()), True)
    want("nodes", len(wait(admin.describe_cluster())["brokers"]), 1)
    told("topics: create, grow, describe, list, cluster")
    wait(admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "60000"})]))
    want("settings", "60000" in str(wait(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None})]))), True)
    told("settings: alter, describe")
    client.produce(topic, "none", stories.lines(0, 30, 3))
    at = TopicPartition(topic, 1)

    async def commit():
        c = await make(AIOKafkaConsumer, group_id=group, enable_auto_commit=False)
        c.assign([at])
        await c.commit({at: 7})
        ends = await c.beginning_offsets([at]), await c.end_offsets([at])
        await c.stop()
        return ends[0][at], ends[1][at]
    want("the oldest and the newest offset", wait(commit()), (0, 10))
    want("the group's offset", wait(admin.list_consumer_group_offsets(group))[at].offset, 7)
    want("the group is listed", group in str(wait(admin.list_consumer_groups())), True)
    want("the group's state", "Empty" in str(wait(admin.describe_consumer_groups([group]))), True)
    wait(admin.delete_topics([topic]))
    told("groups: offsets, list, describe; topics: delete")


async def transactions(client):
    source, target, group = name("source"), name("target"), name("group")
    for topic in source, target:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    await client._produce(source, "none", stories.lines(0, 60, 1))
    c = await make(AIOKafkaConsumer, source, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, isolation_level="read_committed")
    p = await make(AIOKafkaProducer, transactional_id=name("id"))
    at = TopicPartition(source, 0)
    for turn in range(6):
        batch = [await c.getone() for _ in range(20)]
        await p.begin_transaction()
        for m in batch:
            await p.send(target, m.value)
        await p.send_offsets_to_transaction({at: batch[-1].offset + 1}, group)
        if turn % 2 == 0:  # the first try of each is given up
            await p.abort_transaction()
            c.seek(at, batch[0].offset)
        else:
            await p.commit_transaction()
    want("the committed offset", await c.committed(at), 60)
    await c.stop()
    await p.stop()
    got = await client._consume(target, 0, 0, 60, isolation_level="read_committed")
    want("what was committed", [r.value for r in got], [b"line %d" % i for i in range(60)])
    told("transactions: from topic to topic with offsets, commit, abort")


def login(address, ca, mechanism, user, password):
    return AIOKafka(bootstrap_servers=address, security_protocol="SASL_SSL", ssl_context=create_ssl_context(cafile=ca), sasl_mechanism=mechanism,
                    sasl_plain_username=user, sasl_plain_password=password)


if __name__ == "__main__":
    began = time.monotonic()
    print("aiokafka", aiokafka.__version__, flush=True)
    plain = AIOKafka()
    stories.codecs(plain)
    stories.times(plain)
    stories.groups(plain)
    stories.early(plain)
    administration(plain)
    wait(transactions(plain))
    stories.secured(login)
    wait(admin.close())
    print(f"done in {time.monotonic() - began:.1f} s")
