# The agent of the fleet.
resource "aws_imagebuilder_component" "agent" {
  name     = "install-agent"
  platform = "Linux"
  version  = "1.0.0"

  data = file("${path.module}/agent.yaml")
}
