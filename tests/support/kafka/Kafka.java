// What tests have Kafka do: topics, transactions, compression, times, trimming, quotas, leaders, permissions.
//
//   java -cp 'target/kafka/*' Kafka.java BOOTSTRAP
//
// One command a line on standard input, one answer a line: `ok …` or `error …`.
//
//   create TOPIC [KEY=VALUE …]            replicas=1,2 puts the only partition there, the first one leads
//   delete TOPIC | trim TOPIC OFFSET | set TOPIC KEY=VALUE … | topics | grow TOPIC PARTITIONS
//   send TOPIC VALUE [key=K] [time=MILLIS] [codec=gzip|snappy|lz4|zstd] [acks=1] [times=N]     answers `ok OFFSET`
//   begin ID | in ID TOPIC VALUE | commit ID | abort ID           a transactional publisher for each ID
//   quota CLIENT_ID KEY=RATE …            such as consumer_byte_rate=20000, producer_byte_rate, request_percentage
//   leader TOPIC                          answers `ok LEADER IN-SYNC…`
//   lead TOPIC REPLICAS                   has the first of them lead
//   allow USER TOPIC OPERATION | forbid USER TOPIC OPERATION
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Kafka {
    static final Map<String, KafkaProducer<String, String>> PRODUCERS = new HashMap<>();
    static String bootstrap;

    static KafkaProducer<String, String> producer(String... settings) {
        return PRODUCERS.computeIfAbsent(String.join(" ", settings), name -> {
            Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 0, "max.request.size", 10_000_000));
            // It notices soon that another one leads.
            all.putAll(Map.of("metadata.max.age.ms", 500, "request.timeout.ms", 3000, "delivery.timeout.ms", 8000, "buffer.memory", 16_000_000));
            for (int at = 0; at < settings.length; at += 2) all.put(settings[at], settings[at + 1]);
            if (all.getOrDefault("acks", "all").equals("1")) all.put("enable.idempotence", false);
            var made = new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
            if (all.containsKey("transactional.id")) made.initTransactions();
            return made;
        });
    }

    /** The words KEY=VALUE from there on. */
    static Map<String, String> pairs(String[] words, int from) {
        Map<String, String> pairs = new HashMap<>();
        for (int at = from; at < words.length; at++) pairs.put(words[at].split("=", 2)[0], words[at].split("=", 2)[1]);
        return pairs;
    }

    static Object obey(Admin admin, String[] words) throws Exception {
        String name = words.length > 1 ? words[1] : "";
        switch (words[0]) {
            case "create" -> {
                var settings = pairs(words, 2);
                var replicas = Arrays.stream(Objects.requireNonNullElse(settings.remove("replicas"), "1").split(",")).map(Integer::valueOf).toList();
                admin.createTopics(List.of(new NewTopic(name, Map.of(0, replicas)).configs(settings))).all().get();
            }
            case "delete" -> admin.deleteTopics(List.of(name)).all().get();
            case "trim" -> admin.deleteRecords(Map.of(new TopicPartition(name, 0), RecordsToDelete.beforeOffset(Long.parseLong(words[2])))).all().get();
            case "set" -> {
                var changes = pairs(words, 2).entrySet().stream().map(pair -> new AlterConfigOp(new ConfigEntry(pair.getKey(), pair.getValue()), AlterConfigOp.OpType.SET)).toList();
                admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, name), changes)).all().get();
            }
            case "topics" -> { return String.join(" ", admin.listTopics().names().get()); }
            case "grow" -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(Integer.parseInt(words[2])))).all().get();
            case "lead" -> {
                var replicas = Arrays.stream(words[2].split(",")).map(Integer::valueOf).toList();
                var partition = new TopicPartition(name, 0);
                admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
                while (!admin.listPartitionReassignments().reassignments().get().isEmpty()) Thread.sleep(20);
                admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get();
            }
            case "allow", "forbid" -> {
                var pattern = new ResourcePattern(ResourceType.TOPIC, words[2], PatternType.LITERAL);
                var entry = new AccessControlEntry("User:" + name, "*", AclOperation.fromString(words[3]), AclPermissionType.ALLOW);
                var binding = new AclBinding(pattern, entry);
                if (words[0].equals("allow")) admin.createAcls(List.of(binding)).all().get();
                else admin.deleteAcls(List.of(binding.toFilter())).all().get();
            }
            case "send" -> {
                var more = pairs(words, 3);
                var time = more.containsKey("time") ? Long.valueOf(more.get("time")) : null;
                var record = new ProducerRecord<>(name, 0, time, more.get("key"), words[2]);
                String[] settings = {"acks", more.getOrDefault("acks", "all"), "compression.type", more.getOrDefault("codec", "none")};
                for (int attempts = 1; ; attempts++) {
                    var producer = producer(settings);
                    try {
                        for (int times = Integer.parseInt(more.getOrDefault("times", "1")); times > 1; times--) producer.send(record);
                        return producer.send(record).get().offset();
                    } catch (java.util.concurrent.ExecutionException error) {
                        // It may go on believing a leader that is cut off: another one asks another broker.
                        PRODUCERS.remove(String.join(" ", settings)).close(java.time.Duration.ZERO);
                        if (attempts == 6 || !(error.getCause() instanceof org.apache.kafka.common.errors.TimeoutException)) throw error;
                    }
                }
            }
            case "begin" -> producer("transactional.id", name).beginTransaction();
            case "in" -> { return producer("transactional.id", name).send(new ProducerRecord<>(words[2], 0, null, words[3])).get().offset(); }
            case "commit" -> producer("transactional.id", name).commitTransaction();
            case "abort" -> producer("transactional.id", name).abortTransaction();
            case "quota" -> {
                var rates = pairs(words, 2).entrySet().stream().map(pair -> new ClientQuotaAlteration.Op(pair.getKey(), Double.valueOf(pair.getValue()))).toList();
                admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("client-id", name)), rates))).all().get();
            }
            case "leader" -> {
                var partition = admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().get(0);
                var inSync = partition.isr().stream().map(node -> " " + node.id()).reduce("", String::concat);
                return (partition.leader() == null ? "-" : partition.leader().idString()) + inSync;
            }
            default -> throw new IllegalArgumentException("no such command");
        }
        return "";
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        try (var admin = Admin.create(Map.of("bootstrap.servers", (Object) bootstrap)); var lines = new Scanner(System.in)) {
            while (lines.hasNextLine()) {
                // Values may have spaces where quoted: 'revoke agent-7'.
                var words = new ArrayList<String>();
                var matcher = java.util.regex.Pattern.compile("'([^']*)'|(\\S+)").matcher(lines.nextLine());
                while (matcher.find()) words.add(matcher.group(1) != null ? matcher.group(1) : matcher.group(2));
                try {
                    System.out.println(("ok " + obey(admin, words.toArray(new String[0]))).trim());
                } catch (Exception error) {
                    System.out.println("error " + (error.getCause() == null ? error : error.getCause()));
                }
            }
        }
        System.exit(0);
    }
}
