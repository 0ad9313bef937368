package portal

import (
	"strings"
)

// setup is what a person needs to send a first alert.
type setup struct {
	URL     string // where alerts go, with the key
	Falco   string // lines of falco.yaml
	Command string // one command to try
	Hidden  bool   // the key is not known here
}

func (p *Portal) setup() setup {
	key := ""
	if p.c.IngestKey != nil {
		key = p.c.IngestKey()
	}
	s := setup{Hidden: key == ""}
	if s.Hidden {
		key = "KEY"
	}
	s.URL = strings.TrimSuffix(p.c.BaseURL, "/") + "/falco/" + key
	s.Falco = "json_output: true\njson_include_output_property: true\njson_include_tags_property: true\nhttp_output:\n  enabled: true\n  url: " + s.URL + "\n"
	s.Command = "curl -sS " + s.URL + ` -d '{"time":"'$(date -u +%FT%TZ)'","rule":"Terminal shell in container","priority":"Notice","source":"syscall",` +
		`"hostname":"'$(hostname)'","tags":["container","mitre_execution","T1059"],"output":"A shell was spawned in a container with an attached terminal",` +
		`"output_fields":{"evt.type":"execve","user.name":"root","proc.name":"sh","proc.cmdline":"sh -i","proc.pname":"runc","proc.tty":34816,` +
		`"container.id":"3f1c0a9b2d4e","container.name":"try-me","container.image.repository":"alpine","container.image.tag":"3.22"}}'`
	return s
}
