package convert

import (
	"strings"

	"github.com/eyrie-sec/eyrie/falco"
)

// slot numbers the fields of an alert that conversion knows by name.
type slot uint8

const (
	noSlot slot = iota
	containerID
	containerName
	containerImage
	containerImageRepository
	containerImageTag
	containerImageDigest
	containerImageID
	containerType
	containerPrivileged
	containerMounts
	containerStart
	containerLabels
	k8sNamespace
	k8sPod
	k8sPodUID
	k8sPodID
	k8sPodIP
	k8sPodLabels
	k8sDeployment
	k8sReplicaSet
	k8sReplicationController
	kaNamespace
	kaName
	kaResource
	procName
	procExe
	procExePath
	procPid
	procPpid
	procStart
	procParent
	procParentExePath
	fdName
	fdNameRaw
	fdType
	fdProtocol
	fdClientIP
	fdServerIP
	fdLocalIP
	fdRemoteIP
	fdClientPort
	fdServerPort
	fdLocalPort
	fdRemotePort
	fdClientDomain
	fdServerDomain
	fdIsServer
	evtTime
	evtType
	evtHostname
	evtArgs
	evtPath
	evtName
	evtFilename
	evtTarget
	evtOldPath
	evtNewPath
	evtLinkPath
	fsPathName
	fsPathTarget
	fsPathSource
	ctName
	instanceID
	ecsCluster
	ecsTask
	ecsTaskDefinition
	ecsService
	clusterName
	slots
)

// fieldInfo is what conversion knows of a field by its name: the slot, noSlot if it has no use of its own for it, and the
// key in ProductFields.
type fieldInfo struct {
	slot slot
	key  string
}

// fieldTable has the fields with a slot, and others that Falco's own rules print, so that their keys are made once.
func fieldTable() map[string]*fieldInfo {
	table := map[string]*fieldInfo{}
	for name, s := range map[string]slot{
		"container.id": containerID, "container.name": containerName, "container.image": containerImage,
		"container.image.repository": containerImageRepository, "container.image.tag": containerImageTag,
		"container.image.digest": containerImageDigest, "container.image.id": containerImageID,
		"container.type": containerType, "container.privileged": containerPrivileged, "container.mounts": containerMounts,
		"container.start_ts": containerStart, "container.labels": containerLabels, "k8s.ns.name": k8sNamespace,
		"k8s.pod.name": k8sPod, "k8s.pod.uid": k8sPodUID, "k8s.pod.id": k8sPodID, "k8s.pod.ip": k8sPodIP,
		"k8s.pod.labels": k8sPodLabels, "k8s.deployment.name": k8sDeployment, "k8s.rs.name": k8sReplicaSet,
		"k8s.rc.name": k8sReplicationController, "ka.target.namespace": kaNamespace, "ka.target.name": kaName,
		"ka.target.resource": kaResource, "ct.name": ctName,
		"ec2_instance_id": instanceID, "ec2.instance_id": instanceID, "instance_id": instanceID, "ecs_cluster": ecsCluster,
		"ecs_task_arn": ecsTask, "ecs_task_definition": ecsTaskDefinition, "ecs_service": ecsService,
		"ecs_service_name": ecsService, "cluster": clusterName, "cluster_name": clusterName,
		"k8s.cluster.name": clusterName, "proc.name": procName, "proc.exe": procExe, "proc.exepath": procExePath,
		"proc.pid": procPid, "proc.ppid": procPpid, "proc.pid.ts": procStart, "proc.pname": procParent,
		"proc.pexepath": procParentExePath, "fd.name": fdName, "fd.nameraw": fdNameRaw, "fd.type": fdType,
		"fd.l4proto": fdProtocol, "fd.cip": fdClientIP, "fd.sip": fdServerIP, "fd.lip": fdLocalIP, "fd.rip": fdRemoteIP,
		"fd.cport": fdClientPort, "fd.sport": fdServerPort, "fd.lport": fdLocalPort, "fd.rport": fdRemotePort,
		"fd.cip.name": fdClientDomain, "fd.sip.name": fdServerDomain, "fd.is_server": fdIsServer, "evt.time": evtTime,
		"evt.type": evtType, "evt.hostname": evtHostname, "evt.args": evtArgs, "evt.arg.path": evtPath,
		"evt.arg.name": evtName, "evt.arg.filename": evtFilename, "evt.arg.target": evtTarget,
		"evt.arg.oldpath": evtOldPath, "evt.arg.newpath": evtNewPath, "evt.arg.linkpath": evtLinkPath,
		"fs.path.name": fsPathName, "fs.path.target": fsPathTarget, "fs.path.source": fsPathSource,
	} {
		table[name] = &fieldInfo{s, "falco/" + name}
	}
	for name := range strings.FieldsSeq(`
		container.full_id container.ip evt.res evt.arg.flags evt.arg.mode evt.arg.uid evt.arg.fd evt.arg.cmd fd.lip.name
		fd.rip.name group.gid group.name user.name user.uid user.loginuid user.loginname thread.cap_permitted
		thread.cap_effective proc.cmdline proc.pcmdline proc.aname[2] proc.aname[3] proc.aname[4] proc.aname[5] proc.aname[6]
		proc.aname[7] proc.tty proc.pexe proc.aexepath[2] proc.cwd proc.sname proc.env proc.args proc.exe_ino.ctime
		proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start`) {
		table[name] = &fieldInfo{noSlot, "falco/" + name}
	}
	return table
}

// namedInfo is the fieldInfo of a field.
type namedInfo struct {
	name string
	info *fieldInfo
}

// view is an alert with its known fields at hand. It tells which of them the finding has a member for: those are
// marked used, the others go to ProductFields.
type view struct {
	alert *falco.Alert
	table map[string]*fieldInfo
	text  [slots]string // "" if absent, null, "<NA>" or empty
	used  [slots]bool
	// info is that of each of alert.Extra, then of each of alert.Fields, as far as there is room: an array, since a slice
	// of one would put it on the heap.
	info [64]*fieldInfo
}

// unknownField is the fieldInfo of fields that conversion does not know.
var unknownField fieldInfo

// read fills an empty view. expected are the fields that the alert probably has, in order: comparing names is cheaper
// than looking them up.
func (v *view) read(a *falco.Alert, table map[string]*fieldInfo, expected []namedInfo) {
	v.alert, v.table = a, table
	// Of the same field among the output fields and beside them, the output field counts.
	for i := range a.Extra {
		v.readField(i, &a.Extra[i], table[a.Extra[i].Name])
	}
	for i := range a.Fields {
		f := &a.Fields[i]
		if i < len(expected) && expected[i].name == f.Name {
			v.readField(len(a.Extra)+i, f, expected[i].info)
		} else {
			v.readField(len(a.Extra)+i, f, table[f.Name])
		}
	}
	v.text[noSlot] = ""
}

// readField reads the i-th field.
func (v *view) readField(i int, f *falco.Field, info *fieldInfo) {
	if info == nil {
		info = &unknownField
	}
	if i < len(v.info) {
		v.info[i] = info
	}
	if f.Value.Text != "" && !f.Value.IsNA() {
		v.text[info.slot] = f.Value.Text
	}
}

// infoOf is the fieldInfo of the i-th field.
func (v *view) infoOf(i int, f *falco.Field) *fieldInfo {
	if i < len(v.info) {
		return v.info[i]
	}
	if info := v.table[f.Name]; info != nil {
		return info
	}
	return &unknownField
}

// get returns a field without marking it used.
func (v *view) get(s slot) string { return v.text[s] }

// take returns a field that the finding has a member for.
func (v *view) take(s slot) string {
	v.used[s] = true
	return v.text[s]
}

// first returns the first of the fields that is known.
func (v *view) first(slots ...slot) string {
	for _, s := range slots {
		if v.text[s] != "" {
			return v.text[s]
		}
	}
	return ""
}

// notAvailable is how Falco prints null in text.
const notAvailable = "<NA>"

// host is the name of the host that the event happened on, "" if unknown.
func (v *view) host() string {
	if v.alert.Hostname != "" && v.alert.Hostname != notAvailable {
		return v.alert.Hostname
	}
	return v.text[evtHostname]
}

// field returns the text of any output field or other member by name, "" as in get.
func (v *view) field(name string) string {
	if info := v.table[name]; info != nil && info.slot != noSlot {
		return v.text[info.slot]
	}
	if text := v.alert.Get(name); text != "" {
		return text
	}
	for _, f := range v.alert.Extra {
		if f.Name == name && !f.Value.IsNA() {
			return f.Value.Text
		}
	}
	return ""
}
