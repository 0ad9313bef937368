package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// firstAlert is what the command that is printed at start sends. It says of itself that it is a test.
const firstAlert = `{"time":"%s","rule":"Read sensitive file untrusted","priority":"Warning","source":"syscall","hostname":"try-it","output":"A test alert: cat read /etc/shadow","tags":["mitre_credential_access","T1555","container"],"output_fields":{"proc.name":"cat","proc.exepath":"/usr/bin/cat","proc.cmdline":"cat /etc/shadow","proc.pname":"bash","fd.name":"/etc/shadow","user.name":"root","container.name":"try-it","container.image.repository":"example.com/try-it","container.image.tag":"1.0","evt.type":"openat"}}`

// greet prints, for the person who started it, where everything is. It goes to Options.Out and never to the log: two of
// its lines hold secrets.
func (a *App) greet() {
	url, keys := a.URL(), a.access.Keys()
	var b strings.Builder
	fmt.Fprintf(&b, "eyrie %s, data in %s\n\n", a.opts.Version, a.opts.Data)
	if token, ok := a.access.FirstLink(); ok {
		fmt.Fprintf(&b, "Portal        %s/signin?token=%s\n              (this link signs the first person in, once)\n", url, token)
	} else {
		fmt.Fprintf(&b, "Portal        %s/\n", url)
	}
	fmt.Fprintf(&b, "API           export AWS_SHARED_CREDENTIALS_FILE=%s\n", shellQuote(keys.CredentialsPath()))
	fmt.Fprintf(&b, "              aws --profile eyrie --region %s --endpoint-url %s securityhub get-findings\n", a.opts.Region, url)
	fmt.Fprintf(&b, "Sensor        %s\n", a.sensorLine())
	fmt.Fprintf(&b, "Alert key     %s\n", keys.IngestKeyPath())
	fmt.Fprintf(&b, "falco.yaml    json_output: true\n")
	fmt.Fprintf(&b, "              http_output: {enabled: true, url: \"%s/falco/%s\"}\n", url, keys.IngestKey())
	alert := fmt.Sprintf(firstAlert, a.opts.Now().UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(&b, "First alert   curl -sS %s/falco -H \"Authorization: Bearer $(cat %s)\" -d '%s'\n\n", url, shellQuote(keys.IngestKeyPath()), alert)
	// Who closed our stdout does not want to read this.
	_, _ = fmt.Fprint(a.opts.Out, b.String())
	a.log.Info("listening", "url", url, "data", filepath.Clean(a.opts.Data))
}

// shellQuote makes s one word for a POSIX shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
