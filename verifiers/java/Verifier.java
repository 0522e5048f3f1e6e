package verifiers;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.server.context.WebServerInitializedEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimsSet;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtEncoderParameters;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.jwt.NimbusJwtEncoder;
import org.springframework.security.oauth2.server.resource.web.DefaultBearerTokenResolver;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** A resource server of Spring Security: `Verifier PUBLIC PRIVATE`. */
@SpringBootApplication
@RestController
public class Verifier {
    private static RSAPublicKey publicKey;
    private static RSAPrivateKey privateKey;

    public static void main(String[] arguments) throws Exception {
        var factory = KeyFactory.getInstance("RSA");
        publicKey = (RSAPublicKey) factory.generatePublic(new X509EncodedKeySpec(pem(arguments[0])));
        privateKey = (RSAPrivateKey) factory.generatePrivate(new PKCS8EncodedKeySpec(pem(arguments[1])));
        System.setProperty("server.address", "127.0.0.1");
        System.setProperty("server.port", "0");
        System.setProperty("server.tomcat.max-keep-alive-requests", "-1");
        System.setProperty("spring.main.banner-mode", "off");
        System.setProperty("logging.level.root", "warn");
        SpringApplication.run(Verifier.class);
    }

    private static byte[] pem(String file) throws Exception {
        return Base64.getDecoder().decode(Files.readString(Path.of(file)).replaceAll("-----.*-----|\\s", ""));
    }

    @Bean
    ApplicationListener<WebServerInitializedEvent> tellsWhereItListens() {
        return event -> System.out.println("listening http://127.0.0.1:" + event.getWebServer().getPort());
    }

    @Bean
    JwtDecoder decoder() {
        return NimbusJwtDecoder.withPublicKey(publicKey).build();
    }

    @Bean
    SecurityFilterChain filters(HttpSecurity http) throws Exception {
        var places = new DefaultBearerTokenResolver();
        places.setAllowUriQueryParameter(true);
        return http.csrf(csrf -> csrf.disable())
                .authorizeHttpRequests(requests -> requests.requestMatchers("/make").permitAll().anyRequest().authenticated())
                .oauth2ResourceServer(server -> server.bearerTokenResolver(places).jwt(jwt -> {}))
                .build();
    }

    @PostMapping("/make")
    String make(@RequestBody Map<String, Map<String, Object>> wanted) {
        var claims = JwtClaimsSet.builder().claims(all -> all.putAll(wanted.get("claims"))).build();
        return NimbusJwtEncoder.withKeyPair(publicKey, privateKey).build().encode(JwtEncoderParameters.from(claims)).getTokenValue();
    }

    @GetMapping("/**")
    Map<String, Object> read(@AuthenticationPrincipal Jwt token) {
        var seen = new HashMap<String, Object>();
        seen.put("jti", token.getId());
        seen.put("sub", token.getSubject());
        seen.put("sid", ids(token.getClaim("sid")));
        seen.put("act", token.getClaim("act") instanceof Map<?, ?> actor ? ids(actor.get("sub")) : null);
        seen.put("iat", token.getIssuedAt() == null ? null : token.getIssuedAt().getEpochSecond());
        return seen;
    }

    /** A text or number as a text, and all of those in an array. Nothing else is an id. */
    private static Object ids(Object value) {
        if (value instanceof Collection<?> all) {
            return all.stream().map(Verifier::ids).filter(Objects::nonNull).toList();
        }
        return value instanceof String || value instanceof Number ? value.toString() : null;
    }
}
