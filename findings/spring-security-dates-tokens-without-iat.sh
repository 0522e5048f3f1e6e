#!/usr/bin/env bash
# The good guess: a JWT without `iat` has no time of issue, so `Jwt.getIssuedAt()` is null.
# The truth: Spring Security's decoder adds an `iat` of its own, one second before `exp`, which lies in the future.
# The version: spring-security-oauth2-jose 7.0.6, through `NimbusJwtDecoder` with its defaults.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.springframework.security</groupId>
      <artifactId>spring-security-oauth2-jose</artifactId>
      <version>7.0.6</version>
    </dependency>
    <dependency>
      <groupId>org.springframework</groupId>
      <artifactId>spring-web</artifactId>
      <version>7.0.8</version>
    </dependency>
  </dependencies>
</project>
XML
cat >Finding.java <<'JAVA'
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.security.KeyPairGenerator;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

public class Finding {
    public static void main(String[] arguments) throws Exception {
        var generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        var keys = generator.generateKeyPair();
        var claims = new JWTClaimsSet.Builder().subject("u-1").expirationTime(Date.from(Instant.now().plusSeconds(3600))).build();
        var token = new SignedJWT(new JWSHeader(JWSAlgorithm.RS256), claims);
        token.sign(new RSASSASigner(keys.getPrivate()));
        var read = NimbusJwtDecoder.withPublicKey((RSAPublicKey) keys.getPublic()).build().decode(token.serialize());
        System.out.println("claims in the token: " + claims.getClaims().keySet());
        System.out.println("seconds from iat to exp: " + Duration.between(read.getIssuedAt(), read.getExpiresAt()).getSeconds());
    }
}
JAVA
mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=lib >/dev/null 2>&1
seen=$(java -cp 'lib/*' Finding.java 2>/dev/null)
echo "spring-security-oauth2-jose $(basename lib/spring-security-oauth2-jose-*.jar .jar | sed 's/.*-//'): a token that has no iat, and expires in an hour:"
echo "$seen"
grep -qx 'claims in the token: \[sub, exp\]' <<<"$seen" && grep -qx 'seconds from iat to exp: 1' <<<"$seen"
