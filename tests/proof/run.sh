#!/bin/bash
# `make audit-proof`: everything that is done to the log, in full, with totals on the last lines.
set -u
cd "$(dirname "$0")/../.." || exit 2
totals=$(mktemp)
trap 'rm -f "$totals"' EXIT
export P11VAULT_CAMPAIGN=1 P11VAULT_TOTALS=$totals
"${PYTHON:-/usr/bin/python3}" -m pytest -q -n auto --dist load \
    tests/system/test_audit_proof.py tests/system/test_audit_verify.py \
    tests/system/test_audit_verify_rows.py tests/system/test_audit_export.py \
    tests/system/test_audit_show.py tests/system/test_changed_store.py \
    tests/system/test_card_app_key.py tests/system/test_card_log.py tests/system/test_card_trust.py \
    tests/system/test_kill.py tests/system/test_bad_disk.py
result=$?
sort "$totals"
exit $result
