import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import okhttp3.ConnectionPool;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;

/** Calls with OkHttp, whose authenticator renews a token that was refused. */
final class OverOkHttp implements Calls.Client {
    private final String base;
    private final OkHttpClient client;

    OverOkHttp(String base, boolean http2) {
        this.base = base;
        client =
                new OkHttpClient.Builder()
                        .protocols(List.of(http2 ? Protocol.H2_PRIOR_KNOWLEDGE : Protocol.HTTP_1_1))
                        .connectionPool(new ConnectionPool(Calls.PARALLEL, 1, TimeUnit.MINUTES))
                        .callTimeout(Calls.LIMIT_SECS, TimeUnit.SECONDS)
                        .authenticator((route, response) -> renewed(response) > 0 ? null : again(response.request()))
                        .build();
    }

    private static Request again(Request request) {
        return request.newBuilder().header("authorization", Calls.bearer(request.header("x-call-id"), 1)).build();
    }

    /** How often the authenticator was asked before. */
    private static int renewed(Response response) {
        int renewed = 0;
        for (Response prior = response.priorResponse(); prior != null; prior = prior.priorResponse()) {
            renewed++;
        }
        return renewed;
    }

    @Override
    public Calls.Report call(String id, int nth) {
        Request.Builder request = new Request.Builder().header("x-call-id", id).header("authorization", Calls.bearer(id, 0));
        switch (nth % 5) {
            case 0 -> request.url(base + "/work").post(RequestBody.create(new byte[100]));
            case 1 -> request.url(base + "/work").post(RequestBody.create(new byte[(64 << 10) * (1 + nth / 5 % 32)]));
            case 2 -> request.url(base + "/download");
            case 3 -> request.url(base + "/download/sized");
            default -> request.url(base + "/events");
        }
        Response response = null;
        long received = 0;
        try {
            response = client.newCall(request.build()).execute();
            byte[] piece = new byte[64 << 10];
            var body = response.body().byteStream();
            for (int len; (len = body.read(piece)) >= 0; ) {
                received += len;
            }
            String outcome =
                    switch (response.code()) {
                        case 200 -> "ok";
                        case 401 -> "refused";
                        case 403 -> "withheld";
                        default -> "status-" + response.code();
                    };
            return new Calls.Report(outcome, received, renewed(response));
        } catch (InterruptedIOException error) {
            return new Calls.Report("hang", received, 0);
        } catch (IOException error) {
            System.err.println(id + " " + error);
            return response == null
                    ? new Calls.Report("nothing", 0, 0)
                    : new Calls.Report("cut", received, renewed(response));
        } finally {
            if (response != null) {
                response.close();
            }
        }
    }
}
