# The agent of the fleet.
resource "aws_imagebuilder_component" "agent" {
  name     = "install-agent"
  platform = "Linux"
  version  = "1.0.0"

  data = "name: InstallAgent\ndescription: Installs the agent\nschemaVersion: 1.0\nparameters:\n  - Version:\n      type: string\n      description: Which version\nphases:\n  - name: build\n    steps:\n      - name: Install agent\n        action: ExecuteBash\n        timeoutSecond: 600\n        inputs:\n          commands:\n            - |\n              set -euo pipefail\n              echo \"$${HOME} ${var.region}\"\n              install \"{{ Version }}\" \"{{ Absent }}\"\n      - name: CleanUp\n        action: DeleteFlie\n        timeoutSeconds: 60\n        inputs:\n          - path: /opt/agent.tar\n"
}
