import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The calls that every client makes, and what it prints of them: see ../README.md. `Calls BASE PREFIX COUNT okhttp-1.1 | okhttp-2 | grpc` */
final class Calls {
    static final int PARALLEL = 8;
    static final int LIMIT_SECS = 20;

    /** What became of a call. */
    record Report(String outcome, long received, int renewed) {}

    interface Client {
        Report call(String id, int nth);
    }

    static String bearer(String id, int renewed) {
        return "Bearer " + part("{\"alg\":\"none\"}") + "." + part("{\"jti\":\"" + (renewed == 0 ? id : id + "+" + renewed) + "\"}") + ".x";
    }

    private static String part(String json) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        Client client =
                switch (arguments[3]) {
                    case "okhttp-1.1" -> new OverOkHttp(base, false);
                    case "okhttp-2" -> new OverOkHttp(base, true);
                    default -> new OverGrpc(base);
                };
        var workers = Executors.newFixedThreadPool(PARALLEL);
        for (int nth = 0; nth < Integer.parseInt(arguments[2]); nth++) {
            int number = nth;
            workers.submit(
                    () -> {
                        String id = arguments[1] + "-" + number;
                        try {
                            Report it = client.call(id, number);
                            System.out.println(id + " " + it.outcome + " " + it.received + " " + it.renewed);
                        } catch (Throwable error) {
                            error.printStackTrace();
                        }
                    });
        }
        workers.shutdown();
        workers.awaitTermination(1, TimeUnit.HOURS);
        System.exit(0);
    }
}
