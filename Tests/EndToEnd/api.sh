# shellcheck shell=bash
# The admin API from outside: OpenAPI valid, every operation under made-up requests (schemathesis, all
# checks as they come), TLS 1.3 and nothing else (sslyze). EXAMPLES=40 tools/api-check does it longer.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

checked() { EXAMPLES=${EXAMPLES:-8} "$root/tools/api-check"; }
check "the OpenAPI document is true, and only TLS 1.3 is offered" checked
