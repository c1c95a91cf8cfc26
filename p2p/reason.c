/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons: docs/spec/errors.md.  The table of clauses is that page's table of codes, narrowed to
 * the clauses that bind a profile; a test compares the two. */
#include <switchyard/reason.h>

#include <string.h>

#include <switchyard/assert.h>

typedef struct clause_row {
    sy_err code;
    const char *tendermint;
    const char *cometbft;
    const char *plain;
} clause_row;

#define EACH(code, tendermint, cometbft, plain)                                                    \
    { SY_ERR_##code, tendermint, cometbft, plain }
#define ALL(code, clauses)                                                                         \
    { SY_ERR_##code, clauses, clauses, clauses }

static const clause_row clause_rows[] = {
    ALL(INVALID, "FL-01 FL-02 FL-13 MX-47 RX-01 SW-45"),
    ALL(CONFIG, "NI-21 SW-80"),
    ALL(STATE, "SW-45"),
    ALL(GONE, "FL-19 SW-51"),
    ALL(CHANNEL_TAKEN, "SW-45"),
    ALL(ADDR_NO_ID, "AD-01"),
    ALL(ADDR_ID, "ID-04"),
    ALL(ADDR_HOST, "AD-07 AD-08 AD-09 AD-10"),
    ALL(ADDR_PORT, "AD-05 AD-06"),
    ALL(ADDR_SYNTAX, "AD-01 AD-03 AD-04"),
    ALL(KEY_FILE, "ID-09 ID-11 ID-13"),
    ALL(KEY_TYPE, "ID-10"),
    ALL(KEY_MISMATCH, "ID-12"),
    ALL(RESOLVE, "SW-38"),
    ALL(CONNECT, "SW-39"),
    ALL(CONNECT_TIMEOUT, "SW-03 SW-39"),
    ALL(ADMIT_FULL, "SW-14 SW-15 SW-19"),
    ALL(ADMIT_TOTAL, "SW-18"),
    ALL(ADMIT_IP, "SW-20"),
    ALL(ADMIT_PREFIX, "SW-57"),
    ALL(ADMIT_PENDING, "SW-22 SW-81"),
    EACH(FILTERED, "FL-04 FL-05 FL-09 FL-18", "FL-04 FL-05 FL-09 FL-18",
         "FL-04 FL-05 FL-09 FL-18 PL-05"),
    ALL(BANNED, "FL-04 FL-05 FL-09"),
    ALL(SELF, "SW-11 SW-12"),
    ALL(DUPLICATE_ID, "SW-32 SW-33 SW-34 SW-36"),
    ALL(CROSSED, "SW-31 SW-33"),
    ALL(EVICTED, "SW-81"),
    ALL(REACTOR, "RX-17"),
    ALL(NO_VERDICT, "FL-17"),
    EACH(VARINT_MINIMAL, "STS-23 NI-13", "CC-27 NI-13", "NI-13"),
    EACH(PROFILE_UNKNOWN, "PR-03 PR-04", "PR-03 PR-04", "PL-05 PR-03 PR-04"),
    EACH(EPH_LENGTH, "STS-03", "CC-03", ""),
    EACH(EPH_MALFORMED, "", "CC-04", ""),
    EACH(AUTH_TOO_LONG, "STS-22", "CC-26", ""),
    EACH(AUTH_MALFORMED, "STS-25 STS-28 STS-29", "CC-29 CC-32 CC-33", ""),
    EACH(AUTH_NO_KEY, "STS-26", "CC-30", ""),
    EACH(AUTH_NO_SIG, "STS-27", "CC-33", ""),
    EACH(AUTH_KEY_TYPE, "STS-28", "CC-31", ""),
    EACH(AUTH_SIG_TYPE, "STS-29", "", ""),
    EACH(FRAME_LENGTH, "STS-18", "CC-22", ""),
    EACH(FRAME_EMPTY, "STS-19", "CC-23", ""),
    EACH(NI_TOO_LONG, "NI-03", "NI-08", "NI-03"),
    EACH(NI_MALFORMED, "NI-05 NI-06", "NI-11 NI-12", "NI-05 NI-06 PL-03"),
    ALL(NI_CHANNELS_MAX, "NI-23"),
    ALL(NI_CHANNELS_DUP, "NI-24"),
    ALL(NI_MONIKER, "NI-25"),
    EACH(NI_OTHER, "NI-26", "", "NI-26"),
    EACH(NI_VERSION_TEXT, "", "NI-31", ""),
    EACH(NI_TX_INDEX, "", "NI-27", ""),
    EACH(NI_RPC_ADDRESS, "", "NI-28", ""),
    EACH(NI_LISTEN_ADDR, "NI-32", "NI-32 NI-35", "NI-32"),
    ALL(NI_LISTEN_RESOLVE, "NI-41"),
    EACH(NI_ID_MISMATCH, "NI-22", "NI-22", ""),
    EACH(NI_VERSION_FORM, "NI-29", "", "NI-29"),
    EACH(NI_VERSION_MAJOR, "NI-36", "", "NI-36"),
    EACH(NI_BLOCK_VERSION, "", "NI-37", ""),
    ALL(NI_NETWORK, "NI-39"),
    ALL(NI_NO_COMMON_CHANNEL, "NI-40"),
    EACH(PACKET_MALFORMED, "MX-05 MX-11 MX-12 MX-13", "MX-05 MX-18", "MX-05 MX-11 MX-12 MX-13"),
    ALL(PACKET_TOO_LONG, "MX-06 MX-20"),
    EACH(PACKET_TYPE, "MX-07 MX-08", "MX-07 MX-17", "MX-07 MX-08"),
    EACH(CHANNEL_RANGE, "", "MX-27", ""),
    ALL(CHANNEL_UNKNOWN, "MX-26"),
    ALL(MESSAGE_TOO_LONG, "MX-28"),
    ALL(PING_FLOOD, "MX-53"),
    ALL(PONG_TIMEOUT, "MX-38"),
    ALL(HANDSHAKE_TIMEOUT, "SW-02"),
    ALL(RECV_BUDGET, "RX-10"),
    ALL(REACTOR_CAUSE, "PEX-15 SW-59"),
    ALL(SUB_FRAME, "MX-51"),
    EACH(EPH_LOW_ORDER, "STS-06", "CC-07", ""),
    EACH(EPH_REFLECTED, "STS-05", "CC-06", ""),
    EACH(FRAME_TAG, "STS-17", "CC-21", ""),
    EACH(AUTH_SIG, "STS-30", "CC-34", ""),
    ALL(ID_MISMATCH, "SW-10"),
    EACH(NONCE_EXHAUSTED, "", "CC-17", ""),
    ALL(REMOTE_CLOSED, "MX-51"),
    ALL(SHUTDOWN, "SW-55"),
};

#undef EACH
#undef ALL

/* SPEC ER-07 */
static sy_fault fault_of(sy_err code) {
    switch (sy_err_class_of(code)) {
    case SY_ERR_CLASS_OK:
    case SY_ERR_CLASS_CLOSED:
        return SY_FAULT_NONE;
    case SY_ERR_CLASS_USAGE:
    case SY_ERR_CLASS_LOCAL:
        return SY_FAULT_LOCAL;
    case SY_ERR_CLASS_PEER:
    case SY_ERR_CLASS_CRYPTO:
        return SY_FAULT_REMOTE;
    }
    SY_UNREACHABLE();
}

sy_reason sy_reason_make(sy_stage stage, sy_err code, const sy_detail *detail) {
    sy_reason reason = {.stage = stage, .code = code, .fault = fault_of(code)};
    if (detail != NULL) {
        reason.detail = *detail;
    }
    return reason;
}

/* SPEC ER-06 */
const char *sy_stage_name(sy_stage stage) {
    switch (stage) {
    case SY_STAGE_RESOLVE:
        return "resolve";
    case SY_STAGE_CONNECT:
        return "connect";
    case SY_STAGE_HANDSHAKE:
        return "handshake";
    case SY_STAGE_IDENTITY:
        return "identity";
    case SY_STAGE_NODE_INFO:
        return "node_info";
    case SY_STAGE_ADMISSION:
        return "admission";
    case SY_STAGE_OPEN:
        return "open";
    }
    SY_UNREACHABLE();
}

const char *sy_fault_name(sy_fault fault) {
    switch (fault) {
    case SY_FAULT_NONE:
        return "none";
    case SY_FAULT_LOCAL:
        return "local";
    case SY_FAULT_REMOTE:
        return "remote";
    }
    SY_UNREACHABLE();
}

static const char *pick(const clause_row *row, const char *profile) {
    if (strcmp(profile, "tendermint") == 0) {
        return row->tendermint;
    }
    if (strcmp(profile, "cometbft") == 0) {
        return row->cometbft;
    }
    if (strcmp(profile, "plain") == 0) {
        return row->plain;
    }
    /* Not known yet: what does not depend on it. */
    return strcmp(row->tendermint, row->cometbft) == 0 ? row->tendermint : "";
}

const char *sy_reason_clause(sy_err code, const char *profile) {
    for (size_t i = 0; i < sizeof clause_rows / sizeof clause_rows[0]; i++) {
        if (clause_rows[i].code == code) {
            return pick(&clause_rows[i], profile == NULL ? "" : profile);
        }
    }
    return "";
}
