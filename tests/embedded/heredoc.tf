# The agent of the fleet.
resource "aws_imagebuilder_component" "agent" {
  name     = "install-agent"
  platform = "Linux"
  version  = "1.0.0"

  data = <<EOT
name: InstallAgent
description: Installs the agent
schemaVersion: 1.0
parameters:
  - Version:
      type: string
      description: Which version
phases:
  - name: build
    steps:
      - name: Install agent
        action: ExecuteBash
        timeoutSecond: 600
        inputs:
          commands:
            - |
              set -euo pipefail
              echo "$${HOME} ${var.region}"
              install "{{ Version }}" "{{ Absent }}"
      - name: CleanUp
        action: DeleteFlie
        timeoutSeconds: 60
        inputs:
          - path: /opt/agent.tar
EOT
}
