#!/bin/bash
# The committed sample is what the program prints, and a file of it alone is good.
#   config_sample_test.sh PROGRAM SAMPLE
set -euo pipefail
diff "$2" <("$1" --sample-config) ||
  { echo "run: machine-provisioner --sample-config >deploy/config/provisioner.yaml" >&2; exit 1; }
"$1" --check-config --config "$2" --listen 127.0.0.1:0 --insecure-loopback
