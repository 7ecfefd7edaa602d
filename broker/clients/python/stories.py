"""What every client must live through. A client is an object with

    codecs                                      those that it knows
    produce(topic, codec, records)              sends records to their partitions and waits for the acknowledgements
    consume(topic, partition, offset, n)        reads n records
    member(group, topic)                        a member of a group, with poll() -> records, commit(), partitions() and close()
    offset_at(topic, partition, ms)             the first offset at or after a time
    create(topic, partitions)                   makes a topic

Each prints one line for each thing that held, and ends the program at the first that did not.
"""

import collections
import os
import sys
import threading
import time
import uuid

Record = collections.namedtuple("Record", "partition key value headers ms")
PATIENCE = 40


def told(what):
    print("ok", what, flush=True)


def want(what, got, expected):
    if got != expected:
        print(f"FAILED {what}: got {got!r:.300}, want {expected!r:.300}", flush=True)
        sys.exit(1)


def eventually(what, ok):
    deadline = time.monotonic() + PATIENCE
    while not ok():
        if time.monotonic() > deadline:
            print(f"FAILED waiting for {what}", flush=True)
            sys.exit(1)
        time.sleep(0.02)


def name(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


def lines(first, end, partitions):
    return [Record(i % partitions, None, b"line %d" % i, [], None) for i in range(first, end)]


def codecs(client):
    ms = int(time.time() * 1000) - 3_600_000
    for codec in client.codecs:
        topic = name("codec-" + codec)
        client.create(topic, 2)
        sent = [
            Record(0, b"key", b"value", [("pos", b"0"), ("pos", b"twice"), ("empty", b"")], ms),
            Record(0, b"deleted", None, [], ms + 1),
            Record(0, None, b"", [], ms + 2),
            Record(0, None, b"\x00\xff\x80 not text", [], ms + 3),
            Record(0, b"long", b"abcdefgh" * 12_000, [], ms + 4),
        ] + [Record(i % 2, b"k%d" % i, b"line %d" % i, [("pos", b"%d" % i)], ms + 10 + i) for i in range(300)]
        client.produce(topic, codec, sent)
        for partition in 0, 1:
            expected = [r for r in sent if r.partition == partition]
            got = client.consume(topic, partition, 0, len(expected))
            for g, e in zip(got, expected, strict=True):
                want(f"a record with {codec}", g, e)
            want(f"from offset 100 on with {codec}", client.consume(topic, partition, 100, 3), expected[100:103])
        told(f"codec {codec}: keys, values, nulls, headers, times")


def times(client):
    topic = name("times")
    client.create(topic, 1)
    ms = int(time.time() * 1000) - 3_600_000
    client.produce(topic, "gzip", [Record(0, None, b"line", [], ms + i * 1000) for i in range(60)])
    for at, offset in ((ms - 60_000, 0), (ms, 0), (ms + 30_000, 30), (ms + 30_001, 31), (ms + 59_000, 59)):
        want(f"the offset {at - ms} ms after the first record", client.offset_at(topic, 0, at), offset)
    told("offsets by time")


class Member(threading.Thread):
    """A member that reads and commits in a thread of its own until stop."""

    def __init__(self, client, group, topic, seen):
        super().__init__(daemon=True)
        self.client, self.group, self.topic, self.seen = client, group, topic, seen
        self.read, self.shares, self.ending, self.failed = 0, 0, threading.Event(), None
        self.start()

    def run(self):
        try:
            member = self.client.member(self.group, self.topic)
            while not self.ending.is_set():
                got = member.poll()
                for r in got:
                    self.seen[r.value] = self.seen.get(r.value, 0) + 1
                self.read += len(got)
                if got:
                    member.commit()
                self.shares = member.partitions()
            member.close()
        except Exception as e:  # told by the main thread
            self.failed = e

    def stop(self):
        self.ending.set()
        self.join(PATIENCE)
        if self.failed or self.is_alive():
            print(f"FAILED a member ended with {self.failed!r}", flush=True)
            sys.exit(1)


def groups(client, again=False):
    topic, group, seen = name("groups"), name("group"), {}
    client.create(topic, 4)
    client.produce(topic, "none", lines(0, 400, 4))
    a = Member(client, group, topic, seen)
    eventually("the first member to read all", lambda: a.failed or len(seen) == 400)
    b = Member(client, group, topic, seen)
    eventually("both members to have two partitions", lambda: a.failed or b.failed or (a.shares, b.shares) == (2, 2))
    client.produce(topic, "none", lines(400, 800, 4))
    eventually("both to read the rest", lambda: a.failed or b.failed or len(seen) == 800)
    want("the second reads something", b.read > 0, True)
    a.stop()
    client.produce(topic, "none", lines(800, 1200, 4))
    eventually("the second to read what was the first's", lambda: b.failed or len(seen) == 1200)
    b.stop()
    told("a group of two, and a rebalance when one comes and when one goes")
    client.produce(topic, "none", lines(1200, 1300, 4))
    c = Member(client, group, topic, seen)
    eventually("a later member to read what is new", lambda: c.failed or len(seen) == 1300)
    c.stop()
    want("a later member reads only what is new", c.read, 100)
    if not again:
        want("records that were read more than once", [v for v, n in seen.items() if n > 1], [])
    told("commits, and going on where the group was")


def secured(login):
    """Runs a client that login(address, authority's file, mechanism, user, password) makes, with each mechanism."""
    if "SECURED" not in os.environ:
        return
    asked = [os.environ["SECURED_" + what] for what in ("CA", "USER", "PASSWORD")]
    for mechanism in "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
        client = login(os.environ["SECURED"], asked[0], mechanism, *asked[1:])
        topic = name("secured")
        client.produce(topic, "none", lines(0, 10, 1))
        want("what was sent over TLS", [r.value for r in client.consume(topic, 0, 0, 10)], [b"line %d" % i for i in range(10)])
        told(f"TLS and {mechanism}")


def early(client):
    topic, seen = name("later"), {}
    a = Member(client, name("group"), topic, seen)
    client.produce(topic, "none", lines(0, 50, 1))
    eventually("a member that came before its topic to read all", lambda: a.failed or len(seen) == 50)
    a.stop()
    told("a group that comes before its topic")
