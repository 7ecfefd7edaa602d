import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.function.*;
import java.util.stream.*;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Programs with Kafka's own Java clients; each says what it saw. */
public class Clients {
    static String addr;
    static final Duration LONG = Duration.ofSeconds(20);

    interface Program {
        void run(String[] args) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        addr = args[0];
        Map<String, Program> programs = new HashMap<>();
        programs.put("produce", Clients::produce);
        programs.put("timed", Clients::timed);
        programs.put("codecs", Clients::codecs);
        programs.put("idempotent", Clients::idempotent);
        programs.put("large", Clients::large);
        programs.put("bad", Clients::bad);
        programs.put("times", Clients::times);
        programs.put("lso", Clients::lso);
        programs.put("two-members", Clients::twoMembers);
        programs.put("resume", Clients::resume);
        programs.put("static", Clients::staticMember);
        programs.put("pattern", Clients::pattern);
        programs.put("reset", Clients::reset);
        programs.put("transaction", Clients::transaction);
        programs.put("fenced", Clients::fenced);
        programs.put("transform", Clients::transform);
        programs.put("expired", Clients::expired);
        programs.put("commit", Clients::commit);
        programs.put("admin", Clients::admin);
        programs.get(args[1]).run(Arrays.copyOfRange(args, 2, args.length));
    }

    static void say(Object what) { System.out.println(what); }

    /** The name and the words of what went wrong. */
    static String name(Throwable thrown) {
        if (thrown instanceof ExecutionException && thrown.getCause() != null) {
            thrown = thrown.getCause();
        }
        return thrown.getClass().getSimpleName() + ": " + thrown.getMessage();
    }

    static Properties with(String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", addr);
        for (int i = 0; i < pairs.length; i += 2) {
            properties.put(pairs[i], pairs[i + 1]);
        }
        return properties;
    }

    static KafkaProducer<String, String> producer(String... pairs) {
        return new KafkaProducer<>(with(pairs), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String... pairs) {
        return new KafkaConsumer<>(with(pairs), new StringDeserializer(), new StringDeserializer());
    }

    static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count).mapToObj(i -> new TopicPartition(topic, i)).collect(Collectors.toList());
    }

    /** Polls until there are as many records, and once more for those that should not be there. */
    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> all = new ArrayList<>();
        long until = System.nanoTime() + LONG.toNanos();
        while (all.size() < count && System.nanoTime() < until) {
            consumer.poll(Duration.ofMillis(100)).forEach(all::add);
        }
        consumer.poll(Duration.ofMillis(100)).forEach(all::add);
        return all;
    }

    static List<String> read(String topic, int partitions, int count, String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer("isolation.level", isolation)) {
            consumer.assign(partitions(topic, partitions));
            consumer.seekToBeginning(consumer.assignment());
            return poll(consumer, count).stream().map(ConsumerRecord::value).sorted().collect(Collectors.toList());
        }
    }

    /** TOPIC COUNT: as many records to each partition. */
    static void produce(String[] args) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            for (PartitionInfo partition : producer.partitionsFor(args[0])) {
                for (int i = 0; i < Integer.parseInt(args[1]); i++) {
                    producer.send(new ProducerRecord<>(args[0], partition.partition(), "k" + i, "v" + i));
                }
            }
        }
    }

    /** TOPIC PARTITION TIME...: a record for each time, each in a batch of its own. */
    static void timed(String[] args) throws Exception {
        try (KafkaProducer<String, String> producer = producer("linger.ms", "0")) {
            for (int i = 2; i < args.length; i++) {
                producer.send(new ProducerRecord<>(args[0], Integer.valueOf(args[1]), Long.valueOf(args[i]), null, "at " + args[i])).get();
            }
        }
    }

    /** TOPIC: keys, headers and empty values through every codec. */
    static void codecs(String[] args) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (KafkaProducer<String, String> producer = producer("compression.type", codec, "linger.ms", "50")) {
                for (int i = 0; i < 3; i++) {
                    ProducerRecord<String, String> record = new ProducerRecord<>(args[0], "key " + i, i == 2 ? null : codec + " " + "x".repeat(40));
                    record.headers().add(new RecordHeader("h", ("head " + i).getBytes(StandardCharsets.UTF_8))).add("empty", null);
                    producer.send(record);
                }
            }
        }
        try (KafkaConsumer<String, String> consumer = consumer()) {
            consumer.assign(partitions(args[0], 1));
            consumer.seekToBeginning(consumer.assignment());
            for (ConsumerRecord<String, String> record : poll(consumer, 15)) {
                List<String> headers = new ArrayList<>();
                record.headers().forEach(h -> headers.add(h.key() + "=" + (h.value() == null ? null : new String(h.value(), StandardCharsets.UTF_8))));
                say(record.offset() + " " + record.key() + " " + record.value() + " " + headers + " " + record.timestampType());
            }
        }
    }

    /** TOPIC: what a producer with sequences is told, with each kind of acknowledgement. */
    static void idempotent(String[] args) throws Exception {
        for (String acks : List.of("all", "1", "0")) {
            boolean sequences = acks.equals("all");
            try (KafkaProducer<String, String> producer = producer("acks", acks, "enable.idempotence", "" + sequences, "linger.ms", "0", "batch.size", "1")) {
                RecordMetadata last = null;
                for (int i = 0; i < 50; i++) {
                    last = producer.send(new ProducerRecord<>(args[0], 0, null, acks + " " + i)).get();
                }
                say("acks " + acks + ": the last of 50 has offset " + last.offset());
            }
        }
        say(read(args[0], 1, 150, "read_uncommitted").size() + " records");
    }

    /** TOPIC, which takes 2000000 bytes: what passes and what does not. */
    static void large(String[] args) throws Exception {
        try (KafkaProducer<String, String> producer = producer("max.request.size", "9000000", "buffer.memory", "67108864")) {
            for (int size : new int[] {1_900_000, 2_100_000}) {
                try {
                    say(size + " bytes have offset " + producer.send(new ProducerRecord<>(args[0], "x".repeat(size))).get().offset());
                } catch (ExecutionException refused) {
                    say(size + " bytes: " + refused.getCause().getClass().getSimpleName());
                }
            }
        }
        try (KafkaConsumer<String, String> consumer = consumer("max.partition.fetch.bytes", "1000", "fetch.max.bytes", "1000")) {
            consumer.assign(partitions(args[0], 1));
            consumer.seekToBeginning(consumer.assignment());
            say("read one of " + poll(consumer, 1).get(0).value().length() + " bytes");
        }
    }

    /** What bad names and partitions are told. */
    static void bad(String[] args) throws Exception {
        try (KafkaProducer<String, String> producer = producer("max.block.ms", "2000")) {
            for (String topic : List.of("..", "bad name", "n".repeat(300))) {
                try {
                    say(producer.send(new ProducerRecord<>(topic, "x")).get());
                } catch (Exception refused) {
                    say(name(refused));
                }
            }
            try {
                say(producer.send(new ProducerRecord<>(args[0], 9, null, "x")).get());
            } catch (Exception refused) {
                say(name(refused));
            }
        }
        try (KafkaConsumer<String, String> consumer = consumer("allow.auto.create.topics", "false", "group.id", "bad-group")) {
            say(consumer.partitionsFor("clients-nowhere"));
            consumer.subscribe(List.of("bad name"));
            consumer.poll(Duration.ofSeconds(1));
        } catch (Exception refused) {
            say(name(refused));
        }
        try (KafkaConsumer<String, String> consumer = consumer("auto.offset.reset", "none")) {
            consumer.assign(partitions(args[0], 1));
            consumer.seek(new TopicPartition(args[0], 0), 1000);
            consumer.poll(Duration.ofSeconds(2));
        } catch (Exception refused) {
            say(refused.getClass().getSimpleName());
        }
    }

    /** TOPIC: offsets by time, the first and the last ones. */
    static void times(String[] args) throws Exception {
        try (KafkaConsumer<String, String> consumer = consumer()) {
            TopicPartition partition = new TopicPartition(args[0], 0);
            for (long time : new long[] {0, 1600000000000L, 1600000000001L, 1600000002000L, 1700000000000L}) {
                say(time + ": " + consumer.offsetsForTimes(Map.of(partition, time)));
            }
            say(consumer.beginningOffsets(List.of(partition)) + " " + consumer.endOffsets(List.of(partition)));
        }
    }

    /** TOPIC: how far each kind of reader may read. */
    static void lso(String[] args) throws Exception {
        for (String isolation : List.of("read_committed", "read_uncommitted")) {
            try (KafkaConsumer<String, String> consumer = consumer("isolation.level", isolation)) {
                say(isolation + " " + consumer.endOffsets(partitions(args[0], 1)));
            }
        }
    }

    /** TOPIC of four partitions, PROTOCOL, GROUP, further settings: a second member comes and goes, each record is read once. */
    static void twoMembers(String[] args) throws Exception {
        List<String> settings = new ArrayList<>(List.of("group.id", args[2], "group.protocol", args[1], "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        if (args[1].equals("classic")) {
            settings.addAll(List.of("heartbeat.interval.ms", "200"));
        }
        settings.addAll(Arrays.asList(args).subList(3, args.length));
        String[] pairs = settings.toArray(new String[0]);
        Set<String> seen = new TreeSet<>(); // by place
        int[] count = {0};
        KafkaConsumer<String, String> first = consumer(pairs), second = consumer(pairs);
        java.util.function.Consumer<KafkaConsumer<String, String>> take = consumer -> {
            consumer.poll(Duration.ofMillis(50)).forEach(r -> {
                seen.add(r.partition() + "/" + r.offset());
                count[0]++;
            });
            try {
                consumer.commitSync();
            } catch (RebalanceInProgressException later) {
                // the next one will do
            }
        };
        first.subscribe(List.of(args[0]));
        until(() -> first.assignment().size() == 4 && seen.size() == 40, () -> take.accept(first));
        say("alone: " + first.assignment().size() + " partitions, " + seen.size() + " records");
        second.subscribe(List.of(args[0]));
        until(() -> first.assignment().size() == 2 && second.assignment().size() == 2, () -> {
            first.poll(Duration.ofMillis(20));
            second.poll(Duration.ofMillis(20));
        });
        say("two: " + first.assignment().size() + " and " + second.assignment().size() + " partitions");
        commitAtLast(first);
        commitAtLast(second);
        produce(new String[] {args[0], "5"});
        until(() -> seen.size() == 60, () -> {
            take.accept(first);
            take.accept(second);
        });
        say(seen.size() + " records, read " + count[0] + " times");
        second.close();
        until(() -> first.assignment().size() == 4, () -> take.accept(first));
        say("alone again: " + first.assignment().size() + " partitions");
        say(new TreeMap<>(first.committed(new HashSet<>(partitions(args[0], 4))).entrySet().stream()
            .collect(Collectors.toMap(e -> e.getKey().partition(), e -> e.getValue().offset()))));
        first.close();
    }

    /** Commits where the group may still be settling. */
    static void commitAtLast(KafkaConsumer<String, String> consumer) {
        boolean[] done = {false};
        until(() -> done[0], () -> {
            try {
                consumer.commitSync();
                done[0] = true;
            } catch (RebalanceInProgressException later) {
                consumer.poll(Duration.ofMillis(50));
            }
        });
    }

    static void until(BooleanSupplier done, Runnable step) {
        long deadline = System.nanoTime() + LONG.toNanos();
        while (!done.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited in vain");
            }
            step.run();
        }
    }

    /** TOPIC PROTOCOL GROUP: commits with metadata, and goes on from there. */
    static void resume(String[] args) throws Exception {
        String[] pairs = {"group.id", args[2], "group.protocol", args[1], "auto.offset.reset", "earliest", "enable.auto.commit", "false", "max.poll.records", "3"};
        TopicPartition partition = new TopicPartition(args[0], 0);
        try (KafkaConsumer<String, String> consumer = consumer(pairs)) {
            consumer.subscribe(List.of(args[0]));
            List<ConsumerRecord<String, String>> some = new ArrayList<>();
            until(() -> some.size() >= 3, () -> consumer.poll(Duration.ofMillis(100)).forEach(some::add));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2, Optional.empty(), "a word")));
            say(consumer.committed(Set.of(partition)));
        }
        try (KafkaConsumer<String, String> consumer = consumer(pairs)) {
            consumer.subscribe(List.of(args[0]));
            List<ConsumerRecord<String, String>> some = new ArrayList<>();
            until(() -> !some.isEmpty(), () -> consumer.poll(Duration.ofMillis(100)).forEach(some::add));
            say("goes on at " + some.get(0).offset());
            consumer.commitAsync();
        }
    }

    /** TOPIC GROUP: a member with a name comes back and has its partitions without a rebalance. */
    static void staticMember(String[] args) throws Exception {
        String[] pairs = {"group.id", args[1], "group.instance.id", "worker-1", "auto.offset.reset", "earliest"};
        Set<Integer> generations = new TreeSet<>();
        for (int life = 0; life < 2; life++) {
            try (KafkaConsumer<String, String> consumer = consumer(pairs)) {
                consumer.subscribe(List.of(args[0]));
                until(() -> !consumer.assignment().isEmpty(), () -> consumer.poll(Duration.ofMillis(50)));
                generations.add(consumer.groupMetadata().generationId());
            }
        }
        say("generations " + generations.size());
        try (Admin admin = Admin.create(with())) {
            ConsumerGroupDescription group = admin.describeConsumerGroups(List.of(args[1])).all().get().get(args[1]);
            group.members().forEach(m -> say(m.groupInstanceId() + " " + m.assignment().topicPartitions().size()));
            admin.removeMembersFromConsumerGroup(args[1], new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("worker-1")))).all().get();
            say(admin.describeConsumerGroups(List.of(args[1])).all().get().get(args[1]).groupState());
        }
    }

    /** PATTERN PROTOCOL GROUP TOPIC...: topics that come later are found. */
    static void pattern(String[] args) throws Exception {
        try (Admin admin = Admin.create(with());
             KafkaConsumer<String, String> consumer = consumer("group.id", args[2], "group.protocol", args[1], "metadata.max.age.ms", "300")) {
            consumer.subscribe(java.util.regex.Pattern.compile(args[0]));
            for (int i = 3; i < args.length; i++) {
                admin.createTopics(List.of(new NewTopic(args[i], 2, (short) 1))).all().get();
                int want = (i - 2) * 2;
                until(() -> consumer.assignment().size() == want, () -> consumer.poll(Duration.ofMillis(50)));
                say(consumer.assignment().stream().map(TopicPartition::toString).sorted().collect(Collectors.toList()));
            }
        }
    }

    /** TOPIC: where a reader begins that has no offset, or one that is gone. */
    static void reset(String[] args) throws Exception {
        TopicPartition partition = new TopicPartition(args[0], 0);
        try (Admin admin = Admin.create(with())) {
            say("deleted up to " + admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(3))).lowWatermarks().get(partition).get().lowWatermark());
        }
        for (String policy : List.of("earliest", "latest", "none")) {
            try (KafkaConsumer<String, String> consumer = consumer("auto.offset.reset", policy)) {
                consumer.assign(List.of(partition));
                consumer.seek(partition, 1);
                consumer.poll(Duration.ofMillis(500));
                say(policy + ": " + consumer.position(partition));
            } catch (Exception refused) {
                say(policy + ": " + refused.getClass().getSimpleName());
            }
        }
    }

    /** TOPIC ID commit|abort|hang VALUE: one transaction; hang leaves it open. */
    static void transaction(String[] args) throws Exception {
        KafkaProducer<String, String> producer = producer("transactional.id", args[1], "transaction.timeout.ms", "60000");
        producer.initTransactions();
        producer.beginTransaction();
        say("offset " + producer.send(new ProducerRecord<>(args[0], args[3])).get().offset());
        switch (args[2]) {
            case "commit": producer.commitTransaction(); break;
            case "abort": producer.abortTransaction(); break;
            default: producer.close(Duration.ZERO);
        }
        producer.close();
    }

    /** TOPIC ID: the second producer of a name fences the first. */
    static void fenced(String[] args) throws Exception {
        KafkaProducer<String, String> old = producer("transactional.id", args[1]);
        old.initTransactions();
        old.beginTransaction();
        old.send(new ProducerRecord<>(args[0], "from the old one")).get();
        try (KafkaProducer<String, String> young = producer("transactional.id", args[1])) {
            young.initTransactions();
            try {
                old.commitTransaction();
                say("the old one committed");
            } catch (Exception refused) {
                say(refused.getClass().getSimpleName());
            }
            old.close(Duration.ZERO);
            young.beginTransaction();
            young.send(new ProducerRecord<>(args[0], "from the young one")).get();
            young.commitTransaction();
        }
        say(read(args[0], 1, 1, "read_committed"));
        say(read(args[0], 1, 2, "read_uncommitted"));
    }

    /** IN OUT ID GROUP PROTOCOL: reads, writes and commits offsets in one transaction, the first of which is aborted. */
    static void transform(String[] args) throws Exception {
        TopicPartition in = new TopicPartition(args[0], 0);
        try (KafkaProducer<String, String> producer = producer("transactional.id", args[2]);
             KafkaConsumer<String, String> consumer = consumer("group.id", args[3], "group.protocol", args[4], "auto.offset.reset", "earliest",
                 "enable.auto.commit", "false", "isolation.level", "read_committed")) {
            producer.initTransactions();
            consumer.subscribe(List.of(args[0]));
            for (String end : List.of("abort", "commit")) {
                List<ConsumerRecord<String, String>> some = poll(consumer, 5);
                producer.beginTransaction();
                for (ConsumerRecord<String, String> record : some) {
                    producer.send(new ProducerRecord<>(args[1], end + " " + record.value()));
                }
                producer.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(some.size())), consumer.groupMetadata());
                if (end.equals("abort")) {
                    producer.abortTransaction();
                    consumer.seek(in, 0);
                } else {
                    producer.commitTransaction();
                }
                OffsetAndMetadata committed = consumer.committed(Set.of(in)).get(in);
                say(end + ": " + some.size() + " read, committed " + (committed == null ? "nothing" : committed.offset()));
            }
        }
        say(read(args[1], 1, 5, "read_committed"));
    }

    /** TOPIC ID: a transaction that takes too long is aborted by the broker. */
    static void expired(String[] args) throws Exception {
        try (KafkaProducer<String, String> producer = producer("transactional.id", args[1], "transaction.timeout.ms", "600")) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(args[0], "too late")).get();
            try (KafkaConsumer<String, String> consumer = consumer("isolation.level", "read_committed")) {
                TopicPartition partition = new TopicPartition(args[0], 0);
                until(() -> consumer.endOffsets(List.of(partition)).get(partition) > 1, () -> { });
            }
            try {
                producer.commitTransaction();
                say("committed");
            } catch (Exception refused) {
                say(refused.getClass().getSimpleName());
            }
        }
        say(read(args[0], 1, 0, "read_committed"));
    }

    /** TOPIC GROUP: a commit without a member. */
    static void commit(String[] args) throws Exception {
        try (KafkaConsumer<String, String> consumer = consumer("group.id", args[1], "enable.auto.commit", "false")) {
            consumer.assign(partitions(args[0], 1));
            consumer.commitSync(Map.of(new TopicPartition(args[0], 0), new OffsetAndMetadata(2, "a word")));
        }
    }

    interface Call {
        Object get() throws Exception;
    }

    /** A change takes a moment to reach all of a real Kafka: changes come in order, so one more is made and waited for. */
    static void calm(Admin admin, String name) {
        String topic = name + "-calm-" + System.nanoTime();
        try {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            while (!admin.listTopics().names().get().contains(topic)) { }
        } catch (InterruptedException | ExecutionException refused) {
            say("calm: " + name(refused));
        }
    }

    /** Says what a call answered, or how it was refused. */
    static void ask(String what, Call call) {
        try {
            say(what + ": " + call.get());
        } catch (Throwable refused) {
            say(what + ": " + name(refused));
        }
    }

    /** A name for topics, groups and all else: asks everything that an Admin can ask. */
    static void admin(String[] args) throws Exception {
        String name = args[0];
        try (Admin admin = Admin.create(with())) {
            topics(admin, name);
            settings(admin, name);
            groups(admin, name);
            transactions(admin, name);
            rights(admin, name);
            cluster(admin, name);
            topicsGone(admin, name);
        }
    }

    static void topics(Admin admin, String name) {
        TopicPartition partition = new TopicPartition(name, 0);
        ask("createTopics, validated only", () -> admin.createTopics(List.of(new NewTopic(name, 2, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get());
        ask("createTopics", () -> admin.createTopics(List.of(new NewTopic(name, Optional.of(2), Optional.empty()).configs(Map.of("retention.ms", "5000")))).numPartitions(name).get());
        calm(admin, name);
        ask("createTopics again", () -> admin.createTopics(List.of(new NewTopic(name, 2, (short) 1))).all().get());
        ask("listTopics", () -> admin.listTopics().listings().get().stream().filter(t -> t.name().equals(name)).map(t -> t.name() + " " + t.isInternal()).collect(Collectors.toList()));
        ask("createPartitions", () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(3))).all().get());
        calm(admin, name);
        ask("createPartitions, fewer", () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(1))).all().get());
        ask("describeTopics", () -> {
            TopicDescription topic = admin.describeTopics(List.of(name), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get().get(name);
            return topic.partitions().size() + " " + topic.isInternal() + " " + new TreeSet<>(topic.authorizedOperations());
        });
        ask("describeTopics by id", () -> {
            Uuid id = admin.describeTopics(List.of(name)).allTopicNames().get().get(name).topicId();
            return admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name();
        });
        ask("describeTopics by an unknown id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(new Uuid(1, 2)))).allTopicIds().get());
        try (KafkaProducer<String, String> producer = producer()) {
            for (int i = 0; i < 4; i++) {
                producer.send(new ProducerRecord<>(name, 0, 1600000000000L + i, null, "x"));
            }
        }
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(1600000000002L), OffsetSpec.earliestLocal(), OffsetSpec.latestTiered())) {
            ask("listOffsets " + spec.getClass().getSimpleName(), () -> admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset());
        }
        ask("deleteRecords", () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(partition).get().lowWatermark());
        ask("describeLogDirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream().map(d -> d.replicaInfos().keySet().stream().filter(p -> p.topic().equals(name)).count()).collect(Collectors.toList()));
        ask("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica(name, 0, 1))).all().get().values().iterator().next().getFutureReplicaLogDir());
        ask("describeProducers", () -> admin.describeProducers(List.of(partition)).all().get().get(partition).activeProducers().stream().map(p -> p.producerEpoch() + " " + p.lastSequence() + " " + p.currentTransactionStartOffset()).collect(Collectors.toList()));
    }

    static void topicsGone(Admin admin, String name) {
        ask("deleteTopics", () -> admin.deleteTopics(List.of(name)).all().get());
        ask("deleteTopics, unknown", () -> admin.deleteTopics(List.of(name + "-nowhere")).all().get());
        ask("deleteTopics by an unknown id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(new Uuid(1, 2)))).all().get());
    }

    static String shown(org.apache.kafka.clients.admin.Config config, String... names) {
        return Arrays.stream(names).map(config::get).map(e -> e == null ? "null" : e.name() + "=" + e.value() + " " + e.source() + " " + e.isReadOnly() + " " + e.isSensitive() + " " + e.type()).collect(Collectors.joining(", "));
    }

    static void settings(Admin admin, String name) {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, name);
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ask("describeConfigs, topic", () -> shown(admin.describeConfigs(List.of(topic)).all().get().get(topic), "retention.ms", "cleanup.policy", "max.message.bytes", "segment.bytes", "compression.type", "message.timestamp.type"));
        ask("describeConfigs, broker", () -> shown(admin.describeConfigs(List.of(broker)).all().get().get(broker), "log.cleanup.policy", "auto.create.topics.enable", "num.partitions", "message.max.bytes"));
        ask("describeConfigs, documented", () -> admin.describeConfigs(List.of(topic), new DescribeConfigsOptions().includeDocumentation(true)).all().get().get(topic).get("retention.ms").documentation() != null);
        ask("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND), new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get());
        calm(admin, name);
        ask("describeConfigs, after", () -> shown(admin.describeConfigs(List.of(topic)).all().get().get(topic), "retention.ms", "cleanup.policy"));
        ask("incrementalAlterConfigs, subtracted", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.SUBTRACT)))).all().get());
        calm(admin, name);
        ask("describeConfigs, after", () -> shown(admin.describeConfigs(List.of(topic)).all().get().get(topic), "cleanup.policy"));
        ask("incrementalAlterConfigs, no list", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "1"), AlterConfigOp.OpType.APPEND)))).all().get());
        ask("incrementalAlterConfigs, validated only", () -> admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "7"), AlterConfigOp.OpType.SET))), new AlterConfigsOptions().validateOnly(true)).all().get());
        ask("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", name)))).entities().get());
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of("user", name));
        ask("alterClientQuotas", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))).all().get());
        calm(admin, name);
        ask("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", name)))).entities().get());
        ask("alterClientQuotas, gone", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null))))).all().get());
        calm(admin, name);
        ask("alterUserScramCredentials", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(name, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), "secret"))).all().get());
        calm(admin, name);
        ask("describeUserScramCredentials", () -> admin.describeUserScramCredentials(List.of(name)).all().get());
        ask("describeUserScramCredentials, unknown", () -> admin.describeUserScramCredentials(List.of(name + "-nobody")).all().get());
        ask("alterUserScramCredentials, gone", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))).all().get());
        calm(admin, name);
        ask("alterUserScramCredentials, gone again", () -> admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))).all().get());
    }

    static void groups(Admin admin, String name) {
        TopicPartition partition = new TopicPartition(name, 0);
        ask("describeConsumerGroups, unknown", () -> admin.describeConsumerGroups(List.of(name)).all().get());
        ask("describeClassicGroups, unknown", () -> admin.describeClassicGroups(List.of(name)).all().get());
        ask("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets(name, Map.of(partition, new OffsetAndMetadata(3, "m"))).all().get());
        ask("alterConsumerGroupOffsets, no partition", () -> admin.alterConsumerGroupOffsets(name, Map.of(new TopicPartition(name, 99), new OffsetAndMetadata(3))).all().get());
        ask("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get());
        ask("listConsumerGroupOffsets, unknown", () -> admin.listConsumerGroupOffsets(name + "-nowhere").partitionsToOffsetAndMetadata().get());
        ask("describeConsumerGroups", () -> {
            ConsumerGroupDescription group = admin.describeConsumerGroups(List.of(name), new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all().get().get(name);
            return group.groupState() + " " + group.type() + " " + group.isSimpleConsumerGroup() + " " + group.partitionAssignor() + " " + new TreeSet<>(group.authorizedOperations());
        });
        ask("listGroups", () -> admin.listGroups().all().get().stream().filter(g -> g.groupId().equals(name)).collect(Collectors.toList()));
        ask("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets(name, Set.of(partition)).all().get());
        ask("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of(name)).all().get());
        ask("deleteConsumerGroups, unknown", () -> admin.deleteConsumerGroups(List.of(name + "-nowhere")).all().get());
        ask("removeMembersFromConsumerGroup, unknown", () -> admin.removeMembersFromConsumerGroup(name, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("i")))).all().get());
    }

    static void transactions(Admin admin, String name) {
        ask("describeTransactions, unknown", () -> admin.describeTransactions(List.of(name)).all().get());
        try (KafkaProducer<String, String> producer = producer("transactional.id", name)) {
            producer.initTransactions();
        }
        ask("describeTransactions", () -> admin.describeTransactions(List.of(name)).all().get().get(name).state());
        ask("listTransactions", () -> admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern(name)).all().get().stream().map(t -> t.transactionalId() + " " + t.state()).collect(Collectors.toList()));
        ask("listTransactions by state", () -> admin.listTransactions(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).all().get().stream().filter(t -> t.transactionalId().equals(name)).count());
        ask("fenceProducers", () -> admin.fenceProducers(List.of(name)).all().get());
        ask("abortTransaction", () -> admin.abortTransaction(new AbortTransactionSpec(new TopicPartition(name, 0), 1L << 40, (short) 0, 0)).all().get());
    }

    static void rights(Admin admin, String name) {
        AclBinding binding = new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, name + "-acl", PatternType.PREFIXED),
            new AccessControlEntry("User:" + name, "*", AclOperation.READ, AclPermissionType.ALLOW));
        ask("createAcls", () -> admin.createAcls(List.of(binding)).all().get());
        calm(admin, name);
        ask("describeAcls", () -> admin.describeAcls(binding.toFilter()).values().get());
        ask("deleteAcls", () -> admin.deleteAcls(List.of(binding.toFilter())).all().get());
        calm(admin, name);
        ask("describeAcls", () -> admin.describeAcls(binding.toFilter()).values().get());
    }

    static void cluster(Admin admin, String name) {
        ask("describeCluster", () -> {
            DescribeClusterResult cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            return cluster.nodes().get().size() + " nodes, controller " + cluster.controller().get().id() + ", " + new TreeSet<>(cluster.authorizedOperations().get());
        });
        ask("updateFeatures", () -> admin.updateFeatures(Map.of("no.such.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all().get());
        ask("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(new TopicPartition(name, 0))).partitions().get());
        ask("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments().get());
        ask("clientInstanceId", () -> admin.clientInstanceId(Duration.ofSeconds(1)) != null);
    }
}
