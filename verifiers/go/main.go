// A resource server with golang-jwt, into a struct or into a map.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/golang-jwt/jwt/v5"
	"github.com/golang-jwt/jwt/v5/request"
)

// What it makes tokens of: a struct without tags, whose fields name the members.
type untagged struct {
	Iss, Aud, Sub, Jti, Sid string
	Iat, Exp                int64
	jwt.RegisteredClaims    `json:"-"`
}

type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
	Actor   *struct {
		Subject string `json:"sub"`
	} `json:"act"`
}

type cookie string

func (name cookie) ExtractToken(r *http.Request) (string, error) {
	found, err := r.Cookie(string(name))
	if err != nil {
		return "", request.ErrNoTokenInRequest
	}
	return found.Value, nil
}

var places = request.MultiExtractor{request.OAuth2Extractor, request.HeaderExtractor{"X-Token"}, cookie("session")}

// A text or number as a text, and all of those in an array. Nothing else is an id.
func ids(value any) any {
	switch value := value.(type) {
	case string:
		return value
	case float64:
		return fmt.Sprint(value)
	case []any:
		all := []any{}
		for _, one := range value {
			if id := ids(one); id != nil {
				all = append(all, id)
			}
		}
		return all
	}
	return nil
}

func intoMap(r *http.Request, key jwt.Keyfunc) (map[string]any, error) {
	found := jwt.MapClaims{}
	if _, err := request.ParseFromRequest(r, places, key, request.WithClaims(found)); err != nil {
		return nil, err
	}
	seen := map[string]any{"jti": ids(found["jti"]), "sub": ids(found["sub"]), "sid": ids(found["sid"])}
	if actor, ok := found["act"].(map[string]any); ok {
		seen["act"] = ids(actor["sub"])
	}
	if at, err := found.GetIssuedAt(); err == nil && at != nil {
		seen["iat"] = at.Unix()
	}
	return seen, nil
}

func intoStruct(r *http.Request, key jwt.Keyfunc) (map[string]any, error) {
	found := claims{}
	if _, err := request.ParseFromRequest(r, places, key, request.WithClaims(&found)); err != nil {
		return nil, err
	}
	seen := map[string]any{"jti": found.ID, "sub": found.Subject, "sid": found.Session}
	if found.Actor != nil {
		seen["act"] = found.Actor.Subject
	}
	if found.IssuedAt != nil {
		seen["iat"] = found.IssuedAt.Unix()
	}
	return seen, nil
}

func main() {
	read := map[string]func(*http.Request, jwt.Keyfunc) (map[string]any, error){"map": intoMap, "struct": intoStruct}[os.Args[3]]
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	public, err := jwt.ParseRSAPublicKeyFromPEM(pem)
	if err != nil {
		log.Fatal(err)
	}
	if pem, err = os.ReadFile(os.Args[2]); err != nil {
		log.Fatal(err)
	}
	private, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		log.Fatal(err)
	}
	key := func(token *jwt.Token) (any, error) {
		if token.Method != jwt.SigningMethodRS256 {
			return nil, errors.New("another algorithm")
		}
		return public, nil
	}
	http.HandleFunc("POST /make", func(w http.ResponseWriter, r *http.Request) {
		wanted := untagged{}
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, wanted).SignedString(private)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		fmt.Fprint(w, token)
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		seen, err := read(r, key)
		if err != nil {
			http.Error(w, err.Error(), 401)
			return
		}
		json.NewEncoder(w).Encode(seen)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
