import { type Facts, readme } from "./project.ts";

const error = `/** What the server refused, or why it could not be asked (then httpStatus is 0). */
public final class AgentIdpError extends Exception {
    private static final long serialVersionUID = 1L;

    public final String code;
    public final int httpStatus;
    /** The answer as it came. */
    public final String details;

    public AgentIdpError(String code, int httpStatus, String details) {
        super(code + " (HTTP " + httpStatus + ")");
        this.code = code;
        this.httpStatus = httpStatus;
        this.details = details;
    }
}
`;

const client = `import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Calls the API as this agent. It keeps its token and renews it a minute before it ends. */
public final class AgentIdpClient {
    private static final Duration RENEW_BEFORE = Duration.ofSeconds(60);
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final String apiUrl;
    private final String clientId;
    private final String clientSecret;
    private final String scope;
    // It follows no redirect: one would carry the secret elsewhere.
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(TIMEOUT).followRedirects(HttpClient.Redirect.NEVER).build();
    private String token;
    private Instant renewAt;

    public AgentIdpClient(String apiUrl, String clientId, String clientSecret, String scope) {
        this.apiUrl = apiUrl;
        this.clientId = clientId;
        this.clientSecret = clientSecret;
        this.scope = scope;
    }

    public static AgentIdpClient fromEnvironment() throws AgentIdpError {
        return new AgentIdpClient(
                setting("AGENTIDP_API_URL"),
                setting("AGENTIDP_CLIENT_ID"),
                setting("AGENTIDP_CLIENT_SECRET"),
                setting("AGENTIDP_SCOPE"));
    }

    private static String setting(String name) throws AgentIdpError {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new AgentIdpError("settings_missing", 0, "Set " + name + "; see .env.example.");
        }
        return value;
    }

    /** What the server knows of this agent, as JSON. */
    public String agentInfo() throws AgentIdpError, InterruptedException {
        return call("GET", "/agent-info", null);
    }

    /** One call; once more with a new token if the server takes the old one no longer. */
    public String call(String method, String path, String json) throws AgentIdpError, InterruptedException {
        String used = accessToken();
        try {
            return callOnce(used, method, path, json);
        } catch (AgentIdpError error) {
            if (error.httpStatus != 401) {
                throw error;
            }
        }
        forget(used);
        return callOnce(accessToken(), method, path, json);
    }

    private String callOnce(String used, String method, String path, String json)
            throws AgentIdpError, InterruptedException {
        HttpRequest.Builder request = to(path).header("Authorization", "Bearer " + used);
        if (json == null) {
            request.method(method, BodyPublishers.noBody());
        } else {
            request.header("Content-Type", "application/json").method(method, BodyPublishers.ofString(json));
        }
        return send(request.build());
    }

    /** Calls at once wait for the same token. */
    public synchronized String accessToken() throws AgentIdpError, InterruptedException {
        if (token != null && Instant.now().isBefore(renewAt)) {
            return token;
        }
        String pair = clientId + ":" + clientSecret;
        String basic = Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
        String form =
                "grant_type=client_credentials&scope=" + URLEncoder.encode(scope, StandardCharsets.UTF_8);
        HttpRequest request =
                to("/api/v1/token")
                        .header("Authorization", "Basic " + basic)
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .POST(BodyPublishers.ofString(form))
                        .build();
        Instant askedAt = Instant.now();
        String answer = send(request);
        String value = first(TOKEN, answer);
        String life = first(LIFE, answer);
        if (value == null || life == null) {
            throw new AgentIdpError("invalid_answer", 200, "The token endpoint answered without a token.");
        }
        token = value;
        renewAt = askedAt.plusSeconds(Long.parseLong(life)).minus(RENEW_BEFORE);
        return token;
    }

    private synchronized void forget(String used) {
        if (used.equals(token)) {
            token = null;
        }
    }

    private HttpRequest.Builder to(String path) {
        return HttpRequest.newBuilder(URI.create(apiUrl + path)).timeout(TIMEOUT);
    }

    private String send(HttpRequest request) throws AgentIdpError, InterruptedException {
        HttpResponse<String> response;
        try {
            response = http.send(request, BodyHandlers.ofString());
        } catch (IOException error) {
            throw new AgentIdpError("no_answer", 0, error.toString());
        }
        if (response.statusCode() / 100 == 2) {
            return response.body();
        }
        String code = first(CODE, response.body());
        throw new AgentIdpError(code == null ? "http_error" : code, response.statusCode(), response.body());
    }

    // Three members of flat answers, whose values have nothing to escape. For more, take a JSON library.
    private static final Pattern TOKEN = Pattern.compile("\\"access_token\\"\\\\s*:\\\\s*\\"([A-Za-z0-9._~+/=-]+)\\"");
    private static final Pattern LIFE = Pattern.compile("\\"expires_in\\"\\\\s*:\\\\s*([0-9]{1,9})");
    private static final Pattern CODE = Pattern.compile("\\"(?:code|error)\\"\\\\s*:\\\\s*\\"([a-z_]+)\\"");

    private static String first(Pattern pattern, String text) {
        Matcher found = pattern.matcher(text);
        return found.find() ? found.group(1) : null;
    }
}
`;

const main = `public final class Main {
    public static void main(String[] args) throws InterruptedException {
        try {
            System.out.println(AgentIdpClient.fromEnvironment().agentInfo());
        } catch (AgentIdpError error) {
            System.err.println(error.getMessage() + ": " + error.details);
            System.exit(1);
        }
    }
}
`;

const pom = ({ slug }: Facts): string => `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>${slug}</artifactId>
  <version>0.1.0</version>
  <properties>
    <maven.compiler.release>11</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <build>
    <sourceDirectory>src</sourceDirectory>
  </build>
</project>
`;

export const java = (facts: Facts): Record<string, string> => ({
  "pom.xml": pom(facts),
  ".gitignore": "target/\n.env\n",
  "src/AgentIdpClient.java": client,
  "src/AgentIdpError.java": error,
  "src/Main.java": main,
  "README.md": readme(facts, {
    needs: "a JDK, 11 or later; nothing to download.",
    run: ["set -a; . ./.env; set +a", "javac -d target src/*.java", "java -cp target Main"],
    where: "`src/AgentIdpClient.java` is the client, `src/Main.java` what your agent does.",
  }),
});
