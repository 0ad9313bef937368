package asff

func (w *writer) resource(r *Resource) {
	w.text("Type", r.Type)
	w.text("Id", r.ID)
	w.text("Partition", r.Partition)
	w.text("Region", r.Region)
	w.text("Provider", r.Provider)
	if r.OwnerAccountID != "" || r.OwnerOrgID != "" {
		w.object("Owner")
		w.owner("Account", r.OwnerAccountID)
		w.owner("Org", r.OwnerOrgID)
		w.close('}')
	}
	w.text("ResourceRole", r.ResourceRole)
	w.pairs("Tags", r.Tags)
	w.raw("DataClassification", r.DataClassification)
	if r.Details != nil {
		w.object("Details")
		w.details(r.Details)
		w.close('}')
	}
	w.text("ApplicationName", r.ApplicationName)
	w.text("ApplicationArn", r.ApplicationArn)
	w.extra(r.Extra)
}

func (w *writer) owner(name, id string) {
	if id != "" {
		w.object(name)
		w.text("Id", id)
		w.close('}')
	}
}

// one writes a member that is an object or absent.
func one[T any](w *writer, name string, value *T, members func(*writer, *T)) {
	if value != nil {
		w.object(name)
		members(w, value)
		w.close('}')
	}
}

func (w *writer) details(d *ResourceDetails) {
	one(w, "AwsEc2Instance", d.AwsEc2Instance, (*writer).ec2Instance)
	one(w, "AwsEcsCluster", d.AwsEcsCluster, func(w *writer, c *AwsEcsCluster) {
		w.text("ClusterArn", c.ClusterArn)
		w.text("ClusterName", c.ClusterName)
		w.text("Status", c.Status)
	})
	one(w, "AwsEcsContainer", d.AwsEcsContainer, (*writer).ecsContainer)
	one(w, "Container", d.Container, (*writer).container)
	w.pairs("Other", d.Other)
	one(w, "AwsEksCluster", d.AwsEksCluster, func(w *writer, c *AwsEksCluster) {
		w.text("Arn", c.Arn)
		w.text("Endpoint", c.Endpoint)
		w.text("Name", c.Name)
		w.text("RoleArn", c.RoleArn)
		w.text("Version", c.Version)
	})
	one(w, "AwsEcsTask", d.AwsEcsTask, (*writer).ecsTask)
	w.extra(d.Extra)
}

func (w *writer) ec2Instance(i *AwsEc2Instance) {
	w.text("Type", i.Type)
	w.text("ImageId", i.ImageID)
	w.texts("IpV4Addresses", i.IpV4Addresses)
	w.texts("IpV6Addresses", i.IpV6Addresses)
	w.text("KeyName", i.KeyName)
	w.text("IamInstanceProfileArn", i.IamInstanceProfileArn)
	w.text("VpcId", i.VpcID)
	w.text("SubnetId", i.SubnetID)
	w.text("LaunchedAt", i.LaunchedAt)
}

func (w *writer) ecsContainer(c *AwsEcsContainer) {
	w.text("Name", c.Name)
	w.text("Image", c.Image)
	w.bool("Privileged", c.Privileged)
}

func (w *writer) container(c *Container) {
	w.text("ContainerRuntime", c.ContainerRuntime)
	w.text("Name", c.Name)
	w.text("ImageId", c.ImageID)
	w.text("ImageName", c.ImageName)
	w.text("LaunchedAt", c.LaunchedAt)
	list(w, "VolumeMounts", c.VolumeMounts, func(w *writer, m *VolumeMount) {
		w.text("Name", m.Name)
		w.text("MountPath", m.MountPath)
	})
	w.bool("Privileged", c.Privileged)
}

func (w *writer) ecsTask(t *AwsEcsTask) {
	w.text("ClusterArn", t.ClusterArn)
	w.text("TaskDefinitionArn", t.TaskDefinitionArn)
	w.text("Version", t.Version)
	w.text("CreatedAt", t.CreatedAt)
	w.text("StartedAt", t.StartedAt)
	w.text("StartedBy", t.StartedBy)
	w.text("Group", t.Group)
	list(w, "Containers", t.Containers, (*writer).ecsContainer)
}
