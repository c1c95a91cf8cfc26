/* SPDX-License-Identifier: Apache-2.0 */
/* The refusal rules.  Each row of a table breaks one rule, says with which code and text it is
 * refused, and carries the repaired value that is accepted. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/node_info.h>

#include "tests/unit/nodeinfo/nodeinfo_util.h"

#define AMINO SY_NODE_INFO_AMINO
#define PROTO SY_NODE_INFO_PROTO

enum field {
    MONIKER,
    OTHER,
    VERSION,
    CHANNELS,
    TX_INDEX,
    RPC_ADDRESS,
    NETWORK,
    ID
};

static void set_field(sy_node_info *info, enum field field, sy_text value) {
    switch (field) {
    case MONIKER:
        info->moniker = value;
        break;
    case OTHER:
        info->other[1] = value;
        break;
    case VERSION:
        info->version = value;
        break;
    case CHANNELS:
        info->channels = (const uint8_t *)value.data;
        info->channel_count = value.len;
        break;
    case TX_INDEX:
        info->tx_index = value;
        break;
    case RPC_ADDRESS:
        info->rpc_address = value;
        break;
    case NETWORK:
        info->network = value;
        break;
    case ID:
        info->id = value;
        break;
    }
}

static sy_err validate_with(sy_node_info_codec codec, enum field field, sy_text value,
                            sy_detail *detail) {
    sy_node_info info = test_info();
    set_field(&info, field, value);
    return sy_node_info_validate(codec, &info, SY_OK, detail);
}

#define CH16 "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

Test(node_info_check, the_pattern_of_these_tests_is_valid) {
    const sy_node_info info = test_info();
    sy_detail detail = {"stale"};
    cr_assert_eq(sy_node_info_validate(AMINO, &info, SY_OK, &detail), SY_OK);
    cr_assert_str_eq(detail.text, "");
    cr_assert_eq(sy_node_info_validate(PROTO, &info, SY_OK, &detail), SY_OK);
    cr_assert_str_eq(detail.text, "");
}

static const struct {
    const char *name;
    sy_node_info_codec codec;
    enum field field;
    sy_text bad;
    sy_text repaired;
    sy_err err;
    const char *detail;
} broken[] = {
    {"17 channels", AMINO, CHANNELS, T(CH16 "\x10"), T(CH16), SY_ERR_NI_CHANNELS_MAX,
     "17 channels, at most 16"},
    {"17 channels", PROTO, CHANNELS, T(CH16 "\x10"), T(CH16), SY_ERR_NI_CHANNELS_MAX,
     "17 channels, at most 16"},
    {"channel twice", AMINO, CHANNELS, T("\x20\x00\x20"), T("\x20\x00\x21"), SY_ERR_NI_CHANNELS_DUP,
     "channel 0x20 listed twice"},
    {"channel twice", PROTO, CHANNELS, T("\xff\xff"), T("\xff"), SY_ERR_NI_CHANNELS_DUP,
     "channel 0xff listed twice"},
    {"channel 00 twice", PROTO, CHANNELS, T("\x00\x01\x00"), T("\x00\x01"), SY_ERR_NI_CHANNELS_DUP,
     "channel 0x00 listed twice"},
    {"empty moniker", AMINO, MONIKER, T(""), T("x"), SY_ERR_NI_MONIKER, "moniker is empty"},
    {"empty moniker", PROTO, MONIKER, T(""), T("x"), SY_ERR_NI_MONIKER, "moniker is empty"},
    {"only spaces", AMINO, MONIKER, T("   "), T("  x "), SY_ERR_NI_MONIKER,
     "moniker \"   \": only spaces"},
    {"one space", PROTO, MONIKER, T(" "), T(" x"), SY_ERR_NI_MONIKER, "moniker \" \": only spaces"},
    {"tab", AMINO, MONIKER, T("a\tb"), T("a b"), SY_ERR_NI_MONIKER,
     "moniker \"a\\x09b\": byte 0x09 at 1 is not printable"},
    {"tab", PROTO, MONIKER, T("a\tb"), T("a b"), SY_ERR_NI_MONIKER,
     "moniker \"a\\x09b\": byte 0x09 at 1 is not printable"},
    {"byte 1f", AMINO, MONIKER, T("\x1f"), T("!"), SY_ERR_NI_MONIKER,
     "moniker \"\\x1f\": byte 0x1f at 0 is not printable"},
    {"byte 7f", AMINO, MONIKER, T("ab\x7f"), T("ab\x7e"), SY_ERR_NI_MONIKER,
     "moniker \"ab\\x7f\": byte 0x7f at 2 is not printable"},
    {"NUL", PROTO, MONIKER, T("a\0b"), T("a0b"), SY_ERR_NI_MONIKER,
     "moniker \"a\\x00b\": byte 0x00 at 1 is not printable"},
    {"UTF-8", PROTO, MONIKER, T("\xc3\xa4"), T("ae"), SY_ERR_NI_MONIKER,
     "moniker \"\\xc3\\xa4\": byte 0xc3 at 0 is not printable"},
    {"long, the bad byte behind the cut", AMINO, MONIKER, T(X64 X64 "\x01"), T(X64 X64),
     SY_ERR_NI_MONIKER, "moniker \"" X64 "\"...: byte 0x01 at 128 is not printable"},
    {"long, all of it bad", AMINO, MONIKER,
     T("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
       "\x01\x01\x01\x01\x01\x01\x01\x01\x01"),
     T("x"), SY_ERR_NI_MONIKER,
     "moniker "
     "\"\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01"
     "\"...: byte 0x01 at 0 is not printable"},
    {"empty entry", AMINO, OTHER, T(""), T("x"), SY_ERR_NI_OTHER, "other[1] is empty"},
    {"blank entry", AMINO, OTHER, T("  "), T(" x"), SY_ERR_NI_OTHER,
     "other[1] \"  \": only spaces"},
    {"newline in an entry", AMINO, OTHER, T("a\n"), T("a"), SY_ERR_NI_OTHER,
     "other[1] \"a\\x0a\": byte 0x0a at 1 is not printable"},
    {"blank version", PROTO, VERSION, T(" "), T(""), SY_ERR_NI_VERSION_TEXT,
     "version \" \": only spaces"},
    {"tab in the version", PROTO, VERSION, T("1\t"), T("1.2"), SY_ERR_NI_VERSION_TEXT,
     "version \"1\\x09\": byte 0x09 at 1 is not printable"},
    {"UTF-8 in the version", PROTO, VERSION, T("1.\xce\xb2"), T("1.b"), SY_ERR_NI_VERSION_TEXT,
     "version \"1.\\xce\\xb2\": byte 0xce at 2 is not printable"},
    {"tx_index", PROTO, TX_INDEX, T("maybe"), T("off"), SY_ERR_NI_TX_INDEX,
     "tx_index \"maybe\": not \"on\", \"off\" or empty"},
    {"tx_index in capitals", PROTO, TX_INDEX, T("ON"), T("on"), SY_ERR_NI_TX_INDEX,
     "tx_index \"ON\": not"},
    {"tx_index with a space", PROTO, TX_INDEX, T("on "), T(""), SY_ERR_NI_TX_INDEX,
     "tx_index \"on \": not"},
    {"tx_index with a NUL", PROTO, TX_INDEX, T("on\0"), T("on"), SY_ERR_NI_TX_INDEX,
     "tx_index \"on\\x00\": not"},
    {"blank RPC address", PROTO, RPC_ADDRESS, T("  "), T(""), SY_ERR_NI_RPC_ADDRESS,
     "rpc_address \"  \": only spaces"},
    {"UTF-8 in the RPC address", PROTO, RPC_ADDRESS, T("tcp://\xc3\xa4"), T("tcp://a"),
     SY_ERR_NI_RPC_ADDRESS, "rpc_address \"tcp://\\xc3\\xa4\": byte 0xc3 at 6 is not printable"},
    {"tab in the RPC address", PROTO, RPC_ADDRESS, T("\t"), T("x"), SY_ERR_NI_RPC_ADDRESS,
     "rpc_address \"\\x09\": byte 0x09 at 0 is not printable"},
    {"quotes are escaped", PROTO, TX_INDEX, T("\"\\"), T("off"), SY_ERR_NI_TX_INDEX,
     "tx_index \"\\x22\\x5c\": not"},
};

/* SPEC-TEST NI-23, NI-24, NI-25, NI-26, NI-27, NI-28, NI-31, NI-42, ER-10 */
Test(node_info_check, each_broken_rule_is_named_and_its_repair_accepted) {
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        sy_detail detail = {""};
        const sy_err err = validate_with(broken[i].codec, broken[i].field, broken[i].bad, &detail);
        cr_expect_eq(err, broken[i].err, "%s: %s", broken[i].name, sy_err_name(err));
        cr_expect_eq(strncmp(detail.text, broken[i].detail, strlen(broken[i].detail)), 0, "%s: %s",
                     broken[i].name, detail.text);
        cr_expect_eq(validate_with(broken[i].codec, broken[i].field, broken[i].bad, NULL),
                     broken[i].err, "%s: without detail", broken[i].name);

        const sy_err repaired =
            validate_with(broken[i].codec, broken[i].field, broken[i].repaired, &detail);
        cr_expect_eq(repaired, SY_OK, "%s: repaired: %s (%s)", broken[i].name,
                     sy_err_name(repaired), detail.text);
    }
}

/* SPEC-TEST NI-23, NI-31 */
Test(node_info_check, what_one_codec_does_not_look_at_is_accepted) {
    static const struct {
        const char *name;
        sy_node_info_codec codec;
        enum field field;
        sy_text value;
    } rows[] = {
        {"no channels", AMINO, CHANNELS, T("")},
        {"no channels", PROTO, CHANNELS, T("")},
        {"15 channels", AMINO, CHANNELS, {CH16, 15}},
        {"16 channels", PROTO, CHANNELS, T(CH16)},
        {"blank version in amino", AMINO, VERSION, T("\t")},
        {"empty version in protobuf", PROTO, VERSION, T("")},
        {"views in amino", AMINO, TX_INDEX, T("maybe")},
        {"views in amino", AMINO, RPC_ADDRESS, T("\t")},
        {"entries of other in protobuf", PROTO, OTHER, T("\t")},
        {"empty network", PROTO, NETWORK, T("")},
        {"odd network", AMINO, NETWORK, T("\x01")},
        {"empty tx_index", PROTO, TX_INDEX, T("")},
        {"empty RPC address", PROTO, RPC_ADDRESS, T("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_detail detail;
        const sy_err err = validate_with(rows[i].codec, rows[i].field, rows[i].value, &detail);
        cr_expect_eq(err, SY_OK, "%s: %s (%s)", rows[i].name, sy_err_name(err), detail.text);
    }
}

/* Every byte value as the whole moniker: accepted are 0x21 to 0x7e.  SPEC-TEST NI-25 */
Test(node_info_check, printable_is_0x20_to_0x7e) {
    for (unsigned byte = 0; byte < 256; byte++) {
        const char one = (char)byte;
        const char two[] = {'x', (char)byte};
        cr_expect_eq(validate_with(AMINO, MONIKER, (sy_text){&one, 1}, NULL) == SY_OK,
                     byte > 0x20 && byte < 0x7f, "%02x", byte);
        cr_expect_eq(validate_with(PROTO, MONIKER, (sy_text){two, 2}, NULL) == SY_OK,
                     byte >= 0x20 && byte < 0x7f, "x %02x", byte);
    }
}

/* SPEC-TEST NI-32 */
Test(node_info_check, a_bad_listen_address_is_reported_with_its_text) {
    sy_node_info info = test_info();
    info.listen_addr = (sy_text)T("nowhere\n");
    sy_detail detail;
    for (int c = 0; c < 2; c++) {
        const sy_node_info_codec codec = c == 0 ? AMINO : PROTO;
        cr_expect_eq(sy_node_info_validate(codec, &info, SY_ERR_NI_LISTEN_ADDR, &detail),
                     SY_ERR_NI_LISTEN_ADDR);
        cr_expect_str_eq(detail.text, "listen address \"nowhere\\x0a\": not host:port");
    }
}

/* A NodeInfo that breaks every rule at once; `broken` rules from the end of the order remain. */
typedef struct order_step {
    sy_err err;
    enum field field;
    sy_text repair;
} order_step;

static void check_order(sy_node_info_codec codec, const order_step *steps, size_t count) {
    sy_node_info info = test_info();
    sy_err listen_err = SY_ERR_NI_LISTEN_ADDR;
    info.channels = (const uint8_t *)CH16 "\x01\x02";
    info.channel_count = 18;
    info.moniker = (sy_text)T("");
    info.other[1] = (sy_text)T("");
    info.version = (sy_text)T("\t");
    info.tx_index = (sy_text)T("maybe");
    info.rpc_address = (sy_text)T("\t");

    for (size_t i = 0; i < count; i++) {
        const sy_err err = sy_node_info_validate(codec, &info, listen_err, NULL);
        cr_expect_eq(err, steps[i].err, "step %zu: %s, expected %s", i, sy_err_name(err),
                     sy_err_name(steps[i].err));
        if (steps[i].err == SY_ERR_NI_LISTEN_ADDR) {
            listen_err = SY_OK;
        } else {
            set_field(&info, steps[i].field, steps[i].repair);
        }
    }
    cr_expect_eq(sy_node_info_validate(codec, &info, listen_err, NULL), SY_OK, "all repaired");
}

Test(node_info_check, amino_rules_apply_in_the_order_of_tendermint) {
    static const order_step steps[] = {
        {SY_ERR_NI_CHANNELS_MAX, CHANNELS, T("\x01\x01")},
        {SY_ERR_NI_MONIKER, MONIKER, T("m")},
        {SY_ERR_NI_OTHER, OTHER, T("o")},
        {SY_ERR_NI_CHANNELS_DUP, CHANNELS, T("\x01")},
        {SY_ERR_NI_LISTEN_ADDR, ID, T("")},
    };
    check_order(AMINO, steps, sizeof steps / sizeof steps[0]);
}

Test(node_info_check, proto_rules_apply_in_the_order_of_cometbft) {
    static const order_step steps[] = {
        {SY_ERR_NI_LISTEN_ADDR, ID, T("")},
        {SY_ERR_NI_VERSION_TEXT, VERSION, T("v")},
        {SY_ERR_NI_CHANNELS_MAX, CHANNELS, T("\x01\x01")},
        {SY_ERR_NI_CHANNELS_DUP, CHANNELS, T("\x01")},
        {SY_ERR_NI_MONIKER, MONIKER, T("m")},
        {SY_ERR_NI_TX_INDEX, TX_INDEX, T("on")},
        {SY_ERR_NI_RPC_ADDRESS, RPC_ADDRESS, T("r")},
    };
    check_order(PROTO, steps, sizeof steps / sizeof steps[0]);
}

/* SPEC-TEST NI-22 */
Test(node_info_check, the_declared_id_is_the_exact_text_of_the_authenticated_one) {
    static const struct {
        const char *name;
        sy_text id;
        sy_err err;
        const char *detail;
    } rows[] = {
        {"exact", T(TEST_ID), SY_OK, ""},
        {"upper case", T("56475AA75463474C0285DF5DBF2BCAB73DA65135"), SY_ERR_NI_ID_MISMATCH,
         "id \"56475AA75463474C0285DF5DBF2BCAB73DA65135\": authenticated as " TEST_ID},
        {"one capital", T("56475Aa75463474c0285df5dbf2bcab73da65135"), SY_ERR_NI_ID_MISMATCH,
         "id \"56475Aa75463474c0285df5dbf2bcab73da65135\": authenticated as " TEST_ID},
        {"another", T("24f6ed6acbfe1009c030d7ca567c33ca48309114"), SY_ERR_NI_ID_MISMATCH,
         "id \"24f6ed6acbfe1009c030d7ca567c33ca48309114\": authenticated as " TEST_ID},
        {"cut",
         {TEST_ID, 39},
         SY_ERR_NI_ID_MISMATCH,
         "id \"56475aa75463474c0285df5dbf2bcab73da6513\": authenticated as " TEST_ID},
        {"longer", T(TEST_ID "0"), SY_ERR_NI_ID_MISMATCH,
         "id \"" TEST_ID "0\": authenticated as " TEST_ID},
        {"NUL behind", T(TEST_ID "\0"), SY_ERR_NI_ID_MISMATCH,
         "id \"" TEST_ID "\\x00\": authenticated as " TEST_ID},
        {"empty", T(""), SY_ERR_NI_ID_MISMATCH, "id \"\": authenticated as " TEST_ID},
        {"very long", T(X64 X64), SY_ERR_NI_ID_MISMATCH,
         "id \"" X64 "\"...: authenticated as " TEST_ID},
    };
    sy_node_id authenticated;
    cr_assert_eq(sy_node_id_parse(TEST_ID, 40, &authenticated), SY_OK);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_info info = test_info();
        sy_detail detail = {""};
        info.id = rows[i].id;
        const sy_err err = sy_node_info_check_id(&info, &authenticated, &detail);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, sy_err_name(err));
        cr_expect_str_eq(detail.text, rows[i].detail, "%s", rows[i].name);
    }
}

static const struct {
    const char *name;
    sy_node_info_codec codec;
    sy_node_info ours;
    sy_node_info theirs;
    sy_err err;
    const char *detail;
} pairs[] = {
#define V(text)  .version = T(text)
#define N(text)  .network = T(text)
#define CH(text) .channels = (const uint8_t *)(text), .channel_count = sizeof(text) - 1
    {"equal",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8"), N("n"), CH("\x00")},
     SY_OK,
     ""},
    {"commit in the version",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8-abcd"), N("n"), CH("\x00")},
     SY_OK,
     ""},
    {"other minor",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.33.1"), N("n"), CH("\x00")},
     SY_OK,
     ""},
    {"a suffix of the third part",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8-abcd"), N("n"), CH("\x00")},
     SY_OK,
     ""},
    {"a part that is no number",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.x.8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.x.8\": not of the form X.X.X"},
    {"a suffix of the second part",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22a.8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.22a.8\": not of the form X.X.X"},
    {"an empty third part",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22."), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.22.\": not of the form X.X.X"},
    {"a third part that begins with a letter",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.x8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.22.x8\": not of the form X.X.X"},
    {"two parts",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.22\": not of the form X.X.X"},
    {"four parts",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8.1"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0.22.8.1\": not of the form X.X.X"},
    {"no version",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"\": not of the form X.X.X"},
    {"our version is wrong",
     AMINO,
     {V("0.22"), N("n"), CH("\x00")},
     {V("0.22.8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "our version \"0.22\": not of the form X.X.X"},
    {"major",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("1.22.8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_MAJOR,
     "version \"1.22.8\": our major version is \"0\""},
    {"major is a text",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("00.22.8"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_MAJOR,
     "version \"00.22.8\": our major version is \"0\""},
    {"empty major",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("..0"), N("n"), CH("\x00")},
     SY_ERR_NI_VERSION_FORM,
     "version \"..0\": not of the form X.X.X"},
    {"version before network",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0"), N("m")},
     SY_ERR_NI_VERSION_FORM,
     "version \"0\": not of the form X.X.X"},
    {"network",
     AMINO,
     {V("0.22.8"), N("test-chain"), CH("\x00")},
     {V("0.22.8"), N("other"), CH("\x00")},
     SY_ERR_NI_NETWORK,
     "network \"other\": ours is \"test-chain\""},
    {"network before channels",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8"), N("m"), CH("\x01")},
     SY_ERR_NI_NETWORK,
     "network \"m\": ours is \"n\""},
    {"block versions are not amino's",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00"), .block_version = 11},
     {V("0.22.8"), N("n"), CH("\x00"), .block_version = 10},
     SY_OK,
     ""},
    {"no common channel",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x40\x20")},
     {V("0.22.8"), N("n"), CH("\x00\xff")},
     SY_ERR_NI_NO_COMMON_CHANNEL,
     "channels (hex) 00 ff: ours are 40 20"},
    {"they have none",
     AMINO,
     {V("0.22.8"), N("n"), CH("\x00")},
     {V("0.22.8"), N("n")},
     SY_ERR_NI_NO_COMMON_CHANNEL,
     "channels (hex) none: ours are 00"},
    {"we have none", AMINO, {V("0.22.8"), N("n")}, {V("0.22.8"), N("n"), CH("\x00")}, SY_OK, ""},
    {"nobody has any", AMINO, {V("0.22.8"), N("n")}, {V("0.22.8"), N("n")}, SY_OK, ""},
    {"the last of many",
     AMINO,
     {V("0.22.8"), N("n"), CH(CH16)},
     {V("0.22.8"), N("n"), CH("\x80\x81\x0f")},
     SY_OK,
     ""},

    {"equal",
     PROTO,
     {N("n"), CH("\x00"), .block_version = 11},
     {N("n"), CH("\x00"), .block_version = 11},
     SY_OK,
     ""},
    {"p2p, app and software versions do not matter",
     PROTO,
     {V("0.38.23"), N("n"), CH("\x00"), .block_version = 11, .p2p_version = 8},
     {V("x"), N("n"), CH("\x00"), .block_version = 11, .p2p_version = 9, .app_version = 7},
     SY_OK,
     ""},
    {"block version",
     PROTO,
     {N("n"), CH("\x00"), .block_version = 11},
     {N("n"), CH("\x00"), .block_version = 10},
     SY_ERR_NI_BLOCK_VERSION,
     "block version 10: ours is 11"},
    {"block version, high bits",
     PROTO,
     {N("n"), CH("\x00"), .block_version = 11},
     {N("n"), CH("\x00"), .block_version = 0x10000000b},
     SY_ERR_NI_BLOCK_VERSION,
     "block version 4294967307: ours is 11"},
    {"block version before network",
     PROTO,
     {N("n"), CH("\x00"), .block_version = 11},
     {N("m"), .block_version = 0},
     SY_ERR_NI_BLOCK_VERSION,
     "block version 0: ours is 11"},
    {"network",
     PROTO,
     {N("n"), CH("\x00")},
     {N("n "), CH("\x00")},
     SY_ERR_NI_NETWORK,
     "network \"n \": ours is \"n\""},
    {"network with a NUL",
     PROTO,
     {N("n"), CH("\x00")},
     {N("n\0"), CH("\x00")},
     SY_ERR_NI_NETWORK,
     "network \"n\\x00\": ours is \"n\""},
    {"no network",
     PROTO,
     {N("n"), CH("\x00")},
     {CH("\x00")},
     SY_ERR_NI_NETWORK,
     "network \"\": ours is \"n\""},
    {"long networks are cut",
     PROTO,
     {N(X64 X64 "a"), CH("\x00")},
     {N(X64 X64 "b"), CH("\x00")},
     SY_ERR_NI_NETWORK,
     "network \"" X64 "\"...: ours is \"" X64 "\"..."},
    {"no common channel",
     PROTO,
     {N("n"), CH("\x40\x20")},
     {N("n"), CH("\x21")},
     SY_ERR_NI_NO_COMMON_CHANNEL,
     "channels (hex) 21: ours are 40 20"},
    {"they have none",
     PROTO,
     {N("n"), CH("\x40")},
     {N("n")},
     SY_ERR_NI_NO_COMMON_CHANNEL,
     "channels (hex) none: ours are 40"},
    {"we have none", PROTO, {N("n")}, {N("n")}, SY_OK, ""},
    {"one common channel", PROTO, {N("n"), CH("\x40\x20")}, {N("n"), CH("\x20\x99")}, SY_OK, ""},
#undef V
#undef N
#undef CH
};

/* SPEC-TEST NI-36, NI-37, NI-38, NI-39, NI-40, NI-42 */
Test(node_info_check, compatible_compares_theirs_with_ours) {
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        sy_detail detail = {"stale"};
        const sy_err err =
            sy_node_info_compatible(pairs[i].codec, &pairs[i].ours, &pairs[i].theirs, &detail);
        cr_expect_eq(err, pairs[i].err, "row %zu %s: %s", i, pairs[i].name, sy_err_name(err));
        cr_expect_str_eq(detail.text, pairs[i].detail, "row %zu %s", i, pairs[i].name);
        cr_expect_eq(
            sy_node_info_compatible(pairs[i].codec, &pairs[i].ours, &pairs[i].theirs, NULL),
            pairs[i].err, "row %zu %s: without detail", i, pairs[i].name);
    }
}

/* The longest texts that the rules can produce keep their end, which has our value. */
Test(node_info_check, a_detail_is_never_cut_before_its_limit) {
    static uint8_t many[256];
    for (size_t i = 0; i < sizeof many; i++) {
        many[i] = (uint8_t)i;
    }
    const sy_node_info ours = {.channels = many, .channel_count = 16};
    const sy_node_info theirs = {.channels = many + 16, .channel_count = 240};
    sy_detail detail;

    cr_assert_eq(sy_node_info_compatible(PROTO, &ours, &theirs, &detail),
                 SY_ERR_NI_NO_COMMON_CHANNEL);

    cr_assert_str_eq(detail.text,
                     "channels (hex) 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f ...: ours are"
                     " 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f");
}
