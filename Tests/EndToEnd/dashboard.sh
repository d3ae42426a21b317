# shellcheck shell=bash
# From the first token to the model by the dashboard alone, in a headless Chromium with a client
# certificate: tools/dashboard-check, which makes the pictures too. Installs Chromium where it may.
set -euo pipefail
# shellcheck source=Tests/EndToEnd/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

has_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if ! has_chromium >/dev/null && [ "$(id -u)" = 0 ]; then
    {
        apt-get update &&
            apt-get install --yes --no-install-recommends chromium fonts-dejavu-core
    } >"$work/$part/apt.log" 2>&1 || true
fi
if ! has_chromium >/dev/null; then
    echo "skipped the dashboard: there is no Chromium and it can't be installed" \
        "(apt-get install chromium)"
    exit 0
fi
driven() { "$root/tools/dashboard-check" "$work/$part/pictures"; }
check "from token to model by the dashboard alone: sliders, charts, stop; contrast; both widths" \
    driven
