package convert

import (
	"slices"
	"strings"
)

// maxTypes is the number of types one finding may have (AwsSecurityFinding.Types).
const maxTypes = 50

// tactic is one of the 14 tactics of MITRE ATT&CK for Enterprise.
type tactic struct {
	tag, id  string // Falco's tag, ATT&CK's id
	category string // in ASFF's taxonomy of types
}

// tactics maps each tactic to a category that ASFF's taxonomy has ("Types taxonomy for ASFF" in the Security Hub User
// Guide). The taxonomy's TTPs lack three: who reconnoitres discovers, and what is developed or got (resource
// development) is for initial access. Exfiltration is an effect, and impact is one of several (impactEffect).
func tactics() []tactic {
	return []tactic{
		{"mitre_reconnaissance", "TA0043", "TTPs/Discovery"},
		{"mitre_resource_development", "TA0042", "TTPs/Initial Access"},
		{"mitre_initial_access", "TA0001", "TTPs/Initial Access"},
		{"mitre_execution", "TA0002", "TTPs/Execution"},
		{"mitre_persistence", "TA0003", "TTPs/Persistence"},
		{"mitre_privilege_escalation", "TA0004", "TTPs/Privilege Escalation"},
		{"mitre_defense_evasion", "TA0005", "TTPs/Defense Evasion"},
		{"mitre_credential_access", "TA0006", "TTPs/Credential Access"},
		{"mitre_discovery", "TA0007", "TTPs/Discovery"},
		{"mitre_lateral_movement", "TA0008", "TTPs/Lateral Movement"},
		{"mitre_collection", "TA0009", "TTPs/Collection"},
		{"mitre_command_and_control", "TA0011", "TTPs/Command and Control"},
		{"mitre_exfiltration", "TA0010", "Effects/Data Exfiltration"},
		{"mitre_impact", "TA0040", effects},
	}
}

// effects is the type of an impact of unknown kind: a namespace may stand alone.
const effects = "Effects"

// impactEffect is the category of an impact by its technique; "" if the taxonomy has none for it.
func impactEffect(technique string) string {
	id, _, _ := strings.Cut(technique, ".")
	switch id {
	case "T1485", "T1486", "T1490", "T1495", "T1561", "T1565":
		return "Effects/Data Destruction"
	case "T1496":
		return "Effects/Resource Consumption"
	case "T1489", "T1498", "T1499", "T1529", "T1531":
		return "Effects/Denial of Service"
	case "T1491":
		return "Effects/Data Exposure"
	}
	return ""
}

// techniques are the names of ATT&CK's techniques that rules are tagged with: those of Falco's own rules and others
// that rules for hosts and containers use.
func techniques() map[string]string {
	return map[string]string{
		"T1003": "OS Credential Dumping", "T1003.008": "/etc/passwd and /etc/shadow", "T1005": "Data from Local System",
		"T1014": "Rootkit", "T1016": "System Network Configuration Discovery", "T1018": "Remote System Discovery",
		"T1020": "Automated Exfiltration", "T1021": "Remote Services", "T1021.004": "SSH", "T1027": "Obfuscated Files or Information",
		"T1033": "System Owner/User Discovery", "T1036": "Masquerading", "T1037": "Boot or Logon Initialization Scripts",
		"T1040": "Network Sniffing", "T1041": "Exfiltration Over C2 Channel", "T1046": "Network Service Discovery",
		"T1048": "Exfiltration Over Alternative Protocol", "T1049": "System Network Connections Discovery",
		"T1053": "Scheduled Task/Job", "T1053.003": "Cron", "T1053.007": "Container Orchestration Job",
		"T1055": "Process Injection", "T1055.008": "Ptrace System Calls", "T1055.009": "Proc Memory", "T1057": "Process Discovery",
		"T1059": "Command and Scripting Interpreter", "T1059.004": "Unix Shell", "T1059.006": "Python",
		"T1068": "Exploitation for Privilege Escalation", "T1069": "Permission Groups Discovery", "T1070": "Indicator Removal",
		"T1070.002": "Clear Linux or Mac System Logs", "T1070.003": "Clear Command History", "T1070.004": "File Deletion",
		"T1071": "Application Layer Protocol", "T1072": "Software Deployment Tools", "T1074": "Data Staged", "T1078": "Valid Accounts",
		"T1082": "System Information Discovery", "T1083": "File and Directory Discovery", "T1087": "Account Discovery",
		"T1090": "Proxy", "T1095": "Non-Application Layer Protocol", "T1098": "Account Manipulation", "T1098.004": "SSH Authorized Keys",
		"T1102": "Web Service", "T1105": "Ingress Tool Transfer", "T1110": "Brute Force", "T1132": "Data Encoding", "T1133": "External Remote Services",
		"T1136": "Create Account", "T1140": "Deobfuscate/Decode Files or Information", "T1189": "Drive-by Compromise",
		"T1190": "Exploit Public-Facing Application", "T1195": "Supply Chain Compromise", "T1195.002": "Compromise Software Supply Chain",
		"T1203": "Exploitation for Client Execution", "T1204": "User Execution", "T1204.003": "Malicious Image", "T1205": "Traffic Signaling",
		"T1205.001": "Port Knocking", "T1210": "Exploitation of Remote Services", "T1219": "Remote Access Tools", "T1222": "File and Directory Permissions Modification",
		"T1222.002": "Linux and Mac File and Directory Permissions Modification", "T1485": "Data Destruction", "T1486": "Data Encrypted for Impact",
		"T1489": "Service Stop", "T1490": "Inhibit System Recovery", "T1491": "Defacement", "T1496": "Resource Hijacking",
		"T1498": "Network Denial of Service", "T1499": "Endpoint Denial of Service", "T1505": "Server Software Component", "T1505.003": "Web Shell",
		"T1518": "Software Discovery", "T1525": "Implant Internal Image", "T1528": "Steal Application Access Token", "T1529": "System Shutdown/Reboot",
		"T1530": "Data from Cloud Storage", "T1531": "Account Access Removal", "T1543": "Create or Modify System Process", "T1543.002": "Systemd Service",
		"T1546": "Event Triggered Execution", "T1546.004": "Unix Shell Configuration Modification", "T1547": "Boot or Logon Autostart Execution",
		"T1547.006": "Kernel Modules and Extensions", "T1548": "Abuse Elevation Control Mechanism", "T1548.001": "Setuid and Setgid",
		"T1548.003": "Sudo and Sudo Caching", "T1552": "Unsecured Credentials", "T1552.001": "Credentials In Files", "T1552.003": "Shell History",
		"T1552.004": "Private Keys", "T1552.005": "Cloud Instance Metadata API", "T1552.007": "Container API", "T1555": "Credentials from Password Stores",
		"T1556": "Modify Authentication Process", "T1556.003": "Pluggable Authentication Modules", "T1557": "Adversary-in-the-Middle",
		"T1557.002": "ARP Cache Poisoning", "T1560": "Archive Collected Data", "T1561": "Disk Wipe", "T1562": "Impair Defenses",
		"T1564": "Hide Artifacts", "T1564.001": "Hidden Files and Directories", "T1565": "Data Manipulation", "T1567": "Exfiltration Over Web Service",
		"T1568": "Dynamic Resolution", "T1570": "Lateral Tool Transfer", "T1571": "Non-Standard Port", "T1572": "Protocol Tunneling",
		"T1573": "Encrypted Channel", "T1574": "Hijack Execution Flow", "T1574.006": "Dynamic Linker Hijacking", "T1580": "Cloud Infrastructure Discovery",
		"T1595": "Active Scanning", "T1609": "Container Administration Command", "T1610": "Deploy Container", "T1611": "Escape to Host",
		"T1612": "Build Image on Host", "T1613": "Container and Resource Discovery", "T1620": "Reflective Code Loading", "T1622": "Debugger Evasion",
	}
}

// typeTable has what types are made of.
type typeTable struct {
	tactics    map[string]int // by tag and by id -> index
	categories []string
	names      map[string]string // technique -> "T1059 Command and Scripting Interpreter"
	behaviours map[string]string // Falco's tag -> type
}

func newTypeTable() typeTable {
	t := typeTable{
		tactics: map[string]int{}, names: techniques(),
		behaviours: map[string]string{
			"process":  "Unusual Behaviors/Process",
			"shell":    "Unusual Behaviors/Process",
			"network":  "Unusual Behaviors/Network Flow",
			"users":    "Unusual Behaviors/User",
			"database": "Unusual Behaviors/Database",
		},
	}
	for id, name := range t.names {
		// A slash would begin another part of the type.
		t.names[id] = id + " " + strings.ReplaceAll(strings.TrimPrefix(name, "/"), "/", " or ")
	}
	for i, tactic := range tactics() {
		t.tactics[tactic.tag], t.tactics[tactic.id] = i, i
		t.categories = append(t.categories, tactic.category)
	}
	return t
}

// build makes the type of a tactic and a technique, "TTPs/Execution/T1059 Command and Scripting Interpreter".
func (t *typeTable) build(tactic int, technique string) string {
	category := t.categories[tactic]
	if category == effects {
		if category = impactEffect(technique); category == "" {
			return effects
		}
	}
	name, ok := t.names[technique]
	if !ok {
		name = technique
	}
	return category + "/" + name
}

// of returns the types of an alert by its tags: one for each pair of tactic and technique, the tactic alone if there is
// no technique, then the behaviours by place and tags. There is always one. Techniques without a tactic have no category and make no type.
func (t *typeTable) of(tags []string, where place) []string {
	types := make([]string, 0, 6)
	add := func(one string) {
		if len(types) < maxTypes && !slices.Contains(types, one) {
			types = append(types, one)
		}
	}
	for _, tag := range tags {
		tactic, ok := t.tactics[tag]
		if !ok {
			continue
		}
		plain := true
		for _, technique := range tags {
			if !isTechnique(technique) {
				continue
			}
			plain = false
			add(t.build(tactic, technique))
			if len(types) == maxTypes {
				return types
			}
		}
		if plain {
			add(t.categories[tactic])
		}
	}
	switch where {
	case inContainers:
		add("Unusual Behaviors/Container")
	case onHost:
		add("Unusual Behaviors/VM")
	}
	for _, tag := range tags {
		if behaviour, ok := t.behaviours[tag]; ok {
			add(behaviour)
		}
	}
	if len(types) == 0 {
		add("Unusual Behaviors") // the guide lists Types among what is required
	}
	return types
}

// place is where an event happened, as far as types tell.
type place uint8

const (
	elsewhere place = iota // a cloud's or cluster's audit log
	onHost
	inContainers
	places // how many there are
)

// isTechnique reports whether tag is the id of a technique, "T1059" or "T1059.004".
func isTechnique(tag string) bool {
	if len(tag) != 5 && (len(tag) != 9 || tag[5] != '.' || !isDigits(tag[6:])) {
		return false
	}
	return tag[0] == 'T' && isDigits(tag[1:5])
}
