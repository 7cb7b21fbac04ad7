import { type Facts, readme } from "./project.ts";

const client = `package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const renewBefore = 60 * time.Second

// AgentIdpError is what the server refused, or why it could not be asked (then HTTPStatus is 0).
type AgentIdpError struct {
	Code       string \`json:"code"\`
	HTTPStatus int    \`json:"httpStatus"\`
	Details    any    \`json:"details"\`
}

func (e *AgentIdpError) Error() string {
	return fmt.Sprintf("%s (HTTP %d)", e.Code, e.HTTPStatus)
}

// Client calls the API as this agent. It keeps its token and renews it a minute before it ends.
type Client struct {
	APIURL, ClientID, ClientSecret, Scope string

	http    *http.Client
	lock    sync.Mutex
	token   string
	renewAt time.Time
}

// NewClientFromEnvironment reads the settings that .env.example names.
func NewClientFromEnvironment() (*Client, error) {
	c := &Client{http: &http.Client{
		Timeout: 30 * time.Second,
		// A redirect would carry the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for name, to := range map[string]*string{
		"AGENTIDP_API_URL":       &c.APIURL,
		"AGENTIDP_CLIENT_ID":     &c.ClientID,
		"AGENTIDP_CLIENT_SECRET": &c.ClientSecret,
		"AGENTIDP_SCOPE":         &c.Scope,
	} {
		if *to = os.Getenv(name); *to == "" {
			return nil, &AgentIdpError{"settings_missing", 0, "Set " + name + "; see .env.example."}
		}
	}
	return c, nil
}

// AgentInfo is what the server knows of this agent.
func (c *Client) AgentInfo() (map[string]any, error) {
	return c.Call(http.MethodGet, "/agent-info", nil)
}

// Call makes one call, and once more with a new token if the server takes the old one no longer.
func (c *Client) Call(method, path string, body any) (map[string]any, error) {
	answer, token, err := c.callOnce(method, path, body)
	var refused *AgentIdpError
	if !errors.As(err, &refused) || refused.HTTPStatus != http.StatusUnauthorized {
		return answer, err
	}
	c.forget(token)
	answer, _, err = c.callOnce(method, path, body)
	return answer, err
}

func (c *Client) callOnce(method, path string, body any) (map[string]any, string, error) {
	token, err := c.AccessToken()
	if err != nil {
		return nil, "", err
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, token, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, c.APIURL+path, content)
	if err != nil {
		return nil, token, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.send(request)
	return answer, token, err
}

// AccessToken is the token that is kept, or a new one. Calls at once wait for the same.
func (c *Client) AccessToken() (string, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.token != "" && time.Now().Before(c.renewAt) {
		return c.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {c.Scope}}
	request, err := http.NewRequest(http.MethodPost, c.APIURL+"/api/v1/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(c.ClientID, c.ClientSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	askedAt := time.Now()
	answer, err := c.send(request)
	if err != nil {
		return "", err
	}
	token, isText := answer["access_token"].(string)
	life, isNumber := answer["expires_in"].(float64)
	if !isText || !isNumber {
		return "", &AgentIdpError{"invalid_answer", http.StatusOK, "The token endpoint answered without a token."}
	}
	c.token = token
	c.renewAt = askedAt.Add(time.Duration(life)*time.Second - renewBefore)
	return token, nil
}

func (c *Client) forget(token string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.token == token {
		c.token = ""
	}
}

func (c *Client) send(request *http.Request) (map[string]any, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &AgentIdpError{"no_answer", 0, err.Error()}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, &AgentIdpError{"no_answer", 0, err.Error()}
	}
	answer := map[string]any{}
	_ = json.Unmarshal(content, &answer)
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return answer, nil
	}
	code := "http_error"
	for _, name := range []string{"error", "code"} {
		if text, ok := answer[name].(string); ok {
			code = text
		}
	}
	return nil, &AgentIdpError{code, response.StatusCode, answer}
}
`;

const main = `package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

func main() {
	info, err := run()
	if err == nil {
		encoded, _ := json.MarshalIndent(info, "", "  ")
		fmt.Println(string(encoded))
		return
	}
	var refused *AgentIdpError
	if errors.As(err, &refused) {
		encoded, _ := json.Marshal(refused)
		fmt.Fprintln(os.Stderr, string(encoded))
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

func run() (map[string]any, error) {
	client, err := NewClientFromEnvironment()
	if err != nil {
		return nil, err
	}
	return client.AgentInfo()
}
`;

export const go = (facts: Facts): Record<string, string> => ({
  "go.mod": `module example.com/${facts.slug}\n\ngo 1.19\n`,
  ".gitignore": ".env\n/agent\n",
  "src/client.go": client,
  "src/main.go": main,
  "README.md": readme(facts, {
    needs: "Go 1.19 or later; nothing to download.",
    run: ["set -a; . ./.env; set +a", "go run ./src"],
    where: "`src/client.go` is the client, `src/main.go` what your agent does.",
  }),
});
