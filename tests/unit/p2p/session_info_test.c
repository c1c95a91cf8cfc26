/* SPDX-License-Identifier: Apache-2.0 */
/* The NodeInfo exchange inside a session: real encodings, every way to cut them, length prefixes,
 * sizes, and what follows in the same frame. */
#include <criterion/criterion.h>
#include <string.h>

#include "session_fixture.h"
#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"

typedef struct duo {
    fx_loop loop;
    fx_node node;
    fx_raw raw;
} duo;

static void duo_open(duo *d, const sy_profile *profile) {
    fx_loop_init(&d->loop);
    fx_node_init(&d->node, &d->loop, profile, 1);
    fx_raw_init(&d->raw, &d->loop, profile, 2);
    cr_assert_eq(fx_node_open(&d->node), SY_OK);
    fx_raw_handshake(&d->raw, &d->node);
}

static void duo_close(duo *d) {
    fx_raw_fini(&d->raw);
    fx_node_fini(&d->node);
    fx_loop_fini(&d->loop);
}

static const char *vector_file(const sy_profile *profile) {
    return profile->codec == SY_NODE_INFO_AMINO ? "tendermint/node-info.json"
                                                : "cometbft/node-info.json";
}

static bool text_is(sy_text text, const char *want) {
    return text.len == strlen(want) && memcmp(text.data, want, text.len) == 0;
}

/* ---- vectors ---- */

/* SPEC-TEST NI-02 NI-07 */
Test(session_info, encodings_of_real_nodes) {
    for (size_t p = 0; p < 3; p++) {
        vec_file *file = vec_open(vector_file(fx_profiles[p]));
        const vec_node *rows = vec_get(vec_root(file), "encodings");
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            uint8_t wire[1024];
            const size_t len = vec_hex(row, "hex", wire, sizeof wire);
            duo d;
            duo_open(&d, fx_profiles[p]);

            fx_raw_write(&d.raw, wire, len, 1024);
            fx_raw_flush(&d.raw, &d.node);

            const char *id = vec_str(row, "id");
            if (p == 2 && strlen(id) != 40) {
                cr_expect_eq(d.node.err, SY_ERR_NI_MALFORMED, "plain, row %s", vec_name(row));
            } else {
                cr_expect_eq(d.node.err, SY_OK, "row %s", vec_name(row));
                cr_assert_not_null(d.node.remote, "row %s", vec_name(row));
                cr_expect(text_is(d.node.remote->id, id), "row %s", vec_name(row));
                cr_expect(text_is(d.node.remote->moniker, vec_str(row, "moniker")), "row %s",
                          vec_name(row));
                cr_expect(text_is(d.node.remote->rpc_address, vec_str(row, "rpc_address")),
                          "row %s", vec_name(row));
            }
            duo_close(&d);
        }
        vec_close(file);
    }
}

/* The verdict on a body does not depend on its way through frames and sessions. */
static void expect_verdict(const sy_profile *profile, const char *name, const uint8_t *body,
                           size_t len, bool accept, size_t piece) {
    fx_bytes wire = {.data = NULL};
    fx_add_prefixed(&wire, body, len);
    sy_node_info info;
    const bool has_id =
        sy_node_info_decode(profile->codec, body, len, &info, NULL) == SY_OK && info.id.len == 40;
    duo d;
    duo_open(&d, profile);

    fx_raw_write(&d.raw, wire.data, wire.len, piece);
    fx_raw_flush(&d.raw, &d.node);

    if (accept && (profile != &sy_profile_plain || has_id)) {
        cr_expect_eq(d.node.err, SY_OK, "%s, row %s: %s", profile->name, name, d.node.detail.text);
        cr_expect_not_null(d.node.remote, "%s, row %s", profile->name, name);
        cr_expect(sy_session_at_boundary(d.node.session));
    } else {
        const bool too_long = len > sy_node_info_body_max(profile->codec);
        cr_expect_eq(d.node.err, too_long ? SY_ERR_NI_TOO_LONG : SY_ERR_NI_MALFORMED,
                     "%s, row %s: %s", profile->name, name, sy_err_name(d.node.err));
        cr_expect_str_neq(d.node.detail.text, "", "%s, row %s", profile->name, name);
        cr_expect_null(d.node.remote);
    }
    duo_close(&d);
    fx_free(&wire);
}

/* SPEC-TEST NI-04 NI-05 NI-06 NI-09 NI-11 NI-12 */
Test(session_info, verdicts_of_real_decoders) {
    for (size_t p = 0; p < 3; p++) {
        vec_file *file = vec_open(vector_file(fx_profiles[p]));
        const vec_node *rows = vec_get(vec_root(file), "decoder");
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            uint8_t body[SY_NODE_INFO_LEN_MAX + 1];
            const size_t len = vec_hex(row, "hex", body, sizeof body);
            const bool accept = vec_is_accept(row);
            expect_verdict(fx_profiles[p], vec_name(row), body, len, accept, 1024);
            if (len < 600) {
                expect_verdict(fx_profiles[p], vec_name(row), body, len, accept, 1);
            }
            if (!accept) {
                const size_t fixed = vec_hex(row, "repaired", body, sizeof body);
                expect_verdict(fx_profiles[p], vec_name(row), body, fixed, true, 7);
            }
        }
        vec_close(file);
    }
}

/* Everything that a session sends until NodeInfo, against a handshake of the real programs. */
/* SPEC-TEST NI-01 NI-02 NI-07 STS-01 STS-21 CC-01 CC-25 */
Test(session_info, sends_the_bytes_of_real_nodes) {
    static const char *const files[] = {"tendermint/secret-connection.json",
                                        "cometbft/secret-connection.json"};
    for (size_t p = 0; p < 2; p++) {
        vec_file *file = vec_open(files[p]);
        const vec_node *sides = vec_get(vec_root(file), "sides");
        const vec_node *side_a = vec_at(sides, 0);
        const vec_node *side_b = vec_at(sides, 1);
        vec_file *infos = vec_open(vector_file(fx_profiles[p]));
        const vec_node *first = vec_at(vec_get(vec_root(infos), "encodings"), 0);
        uint8_t encoded[512];
        const size_t encoded_len = vec_hex(first, "hex", encoded, sizeof encoded);

        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        uint8_t seed[SY_SEED_LEN];
        cr_assert_eq(vec_hex(side_a, "seed", seed, sizeof seed), sizeof seed);
        sy_node_key_from_seed(seed, &a.key);
        memcpy(a.config.signer.pubkey, a.key.pubkey, SY_CONN_KEY_LEN);
        cr_assert_eq(vec_hex(side_a, "ephemeral_private", a.config.eph_secret, SY_CONN_KEY_LEN),
                     SY_CONN_KEY_LEN);
        cr_assert_eq(
            sy_node_info_decode(fx_profiles[p]->codec, encoded + 2, encoded_len - 2, &a.info, NULL),
            SY_OK);
        cr_assert_eq(fx_node_open(&a), SY_OK);

        fx_bytes sent = {.data = NULL};
        fx_bytes want = {.data = NULL};
        uint8_t part[2 * SY_SEALED_LEN];
        fx_add(&want, part, vec_hex(side_a, "ephemeral_message", part, sizeof part));
        fx_add(&want, part, vec_hex(side_a, "auth_frame", part, sizeof part));
        fx_add(&want, part,
               vec_hex(vec_get(vec_root(file), "node_info_frame"), "sealed", part, sizeof part));
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        fx_feed(&a, part, vec_hex(side_b, "ephemeral_message", part, sizeof part));
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        fx_feed(&a, part, vec_hex(side_b, "auth_frame", part, sizeof part));
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);

        cr_expect_eq(a.err, SY_OK);
        cr_assert_eq(sent.len, want.len, "%s", files[p]);
        cr_expect_arr_eq(sent.data, want.data, want.len, "%s", files[p]);
        char id[SY_NODE_ID_TEXT_CAP];
        sy_node_id_format(&a.remote_id, id);
        cr_expect_str_eq(id, vec_str(side_b, "id"));

        fx_free(&sent);
        fx_free(&want);
        fx_node_fini(&a);
        fx_loop_fini(&loop);
        vec_close(infos);
        vec_close(file);
    }
}

/* ---- length prefixes and sizes ---- */

typedef struct prefix_row {
    const char *name;
    const char *hex;
    sy_err amino, proto; /* SY_OK: not refused by the prefix, more is awaited */
} prefix_row;

static const prefix_row prefixes[] = {
    {"10238", "fe4f", SY_OK, SY_OK},
    {"10239", "ff4f", SY_ERR_NI_TOO_LONG, SY_OK},
    {"10240", "8050", SY_ERR_NI_TOO_LONG, SY_OK},
    {"10241", "8150", SY_ERR_NI_TOO_LONG, SY_ERR_NI_TOO_LONG},
    {"16384", "808001", SY_ERR_NI_TOO_LONG, SY_ERR_NI_TOO_LONG},
    {"2^32", "8080808010", SY_ERR_NI_TOO_LONG, SY_ERR_NI_TOO_LONG},
    {"2^64 - 1", "ffffffffffffffffff01", SY_ERR_NI_TOO_LONG, SY_ERR_NI_TOO_LONG},
    {"2^64", "ffffffffffffffffff02", SY_ERR_NI_MALFORMED, SY_ERR_NI_MALFORMED},
    {"10 bytes and more", "80808080808080808080", SY_ERR_NI_MALFORMED, SY_ERR_NI_MALFORMED},
    {"0 in two bytes", "8000", SY_ERR_VARINT_MINIMAL, SY_ERR_VARINT_MINIMAL},
    {"83 in two bytes", "d300", SY_ERR_VARINT_MINIMAL, SY_ERR_VARINT_MINIMAL},
    {"227 in three bytes", "e38100", SY_ERR_VARINT_MINIMAL, SY_ERR_VARINT_MINIMAL},
    {"20000 in four bytes", "a09c8100", SY_ERR_VARINT_MINIMAL, SY_ERR_VARINT_MINIMAL},
    {"prefix incomplete", "80", SY_OK, SY_OK},
    {"prefix of 9 bytes incomplete", "ffffffffffffffffff", SY_OK, SY_OK},
};

/* Refused by the length alone: nothing of the body was sent. */
/* SPEC-TEST NI-03 NI-08 NI-13 */
Test(session_info, length_prefix) {
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
            const prefix_row *row = &prefixes[i];
            const sy_err want =
                fx_profiles[p]->codec == SY_NODE_INFO_AMINO ? row->amino : row->proto;
            uint8_t prefix[16];
            const size_t len = test_hex(row->hex, prefix, sizeof prefix);
            for (size_t piece = 1; piece <= 16; piece += 15) {
                duo d;
                duo_open(&d, fx_profiles[p]);
                fx_raw_write(&d.raw, prefix, len, piece);
                fx_raw_flush(&d.raw, &d.node);
                cr_expect_eq(d.node.err, want, "%s, row %s, pieces of %zu: %s",
                             fx_profiles[p]->name, row->name, piece, sy_err_name(d.node.err));
                cr_expect_null(d.node.remote);
                if (want == SY_OK) {
                    cr_expect(!sy_session_at_boundary(d.node.session), "row %s", row->name);
                } else {
                    cr_expect_str_neq(d.node.detail.text, "", "row %s", row->name);
                }
                duo_close(&d);
            }
        }
    }
}

/* A NodeInfo whose body has exactly this length, by its moniker. */
static void body_of_len(fx_node *as, size_t want, char *moniker, uint8_t *body) {
    size_t len = 0;
    as->info.moniker = (sy_text){.data = moniker, .len = 9000};
    memset(moniker, 'm', want);
    cr_assert_eq(
        sy_node_info_encode(as->profile->codec, &as->info, body, SY_NODE_INFO_LEN_MAX, &len),
        SY_OK);
    as->info.moniker.len += want - len;
    cr_assert_eq(
        sy_node_info_encode(as->profile->codec, &as->info, body, SY_NODE_INFO_LEN_MAX, &len),
        SY_OK);
    cr_assert_eq(len, want);
}

/* SPEC-TEST NI-03 NI-08 */
Test(session_info, size_limit) {
    for (size_t p = 0; p < 3; p++) {
        const size_t limit = sy_node_info_body_max(fx_profiles[p]->codec);
        cr_assert_eq(limit, p == 1 ? 10240 : 10238);
        for (size_t size = limit - 1; size <= limit + 1; size++) {
            static char moniker[SY_NODE_INFO_LEN_MAX];
            static uint8_t body[SY_NODE_INFO_LEN_MAX + 1];
            duo d;
            duo_open(&d, fx_profiles[p]);
            body_of_len(&d.raw.as, size <= limit ? size : limit, moniker, body);
            fx_bytes wire = {.data = NULL};
            fx_add_prefixed(&wire, body, size);
            fx_raw_write(&d.raw, wire.data, wire.len, 1024);
            fx_raw_flush(&d.raw, &d.node);
            cr_expect_eq(d.node.err, size <= limit ? SY_OK : SY_ERR_NI_TOO_LONG, "%s, %zu: %s",
                         fx_profiles[p]->name, size, sy_err_name(d.node.err));
            if (size <= limit) {
                cr_assert_not_null(d.node.remote);
                cr_expect_eq(d.node.remote->moniker.len, d.raw.as.info.moniker.len);
            }
            fx_free(&wire);
            duo_close(&d);
        }
    }
}

/* Ours, at the limit and beyond: the latter is our own mistake, not the remote's. */
/* SPEC-TEST NI-03 NI-08 */
Test(session_info, own_size_limit) {
    for (size_t p = 0; p < 3; p++) {
        const size_t limit = sy_node_info_body_max(fx_profiles[p]->codec);
        for (size_t over = 0; over < 2; over++) {
            static char moniker[SY_NODE_INFO_LEN_MAX + 1];
            static uint8_t body[SY_NODE_INFO_LEN_MAX];
            fx_loop loop;
            fx_loop_init(&loop);
            fx_node a;
            fx_node b;
            fx_node_init(&a, &loop, fx_profiles[p], 1);
            fx_node_init(&b, &loop, fx_profiles[p], 2);
            body_of_len(&a, limit, moniker, body);
            memset(moniker, 'm', sizeof moniker);
            a.info.moniker.len += over;
            cr_assert_eq(fx_node_open(&a), SY_OK);
            cr_assert_eq(fx_node_open(&b), SY_OK);

            fx_settle(&a, &b);

            cr_expect_eq(b.remote == NULL, over == 1, "%s", fx_profiles[p]->name);
            if (over == 1) {
                uint8_t wire[SY_SCRATCH_WIRE_OUT_CAP];
                size_t len = 0;
                cr_expect_eq(sy_session_send(a.session, wire, sizeof wire, &len, loop.now),
                             SY_ERR_CONFIG);
                cr_expect(!sy_session_wants_send(a.session, loop.now));
            } else {
                cr_expect_eq(b.remote->moniker.len, a.info.moniker.len);
            }
            fx_node_fini(&a);
            fx_node_fini(&b);
            fx_loop_fini(&loop);
        }
    }
}

/* ---- what follows in the same frame ---- */

static const char *packets_of(const sy_profile *profile) {
    /* ping, {0x00: "hello"}, {0x30: 01 02 03} */
    return profile->codec == SY_NODE_INFO_AMINO
               ? "0415c3d289 0db05b4f2c10011a0568656c6c6f 0db05b4f2c083010011a03010203"
               : "020a00 0b1a0910011a0568656c6c6f 0b1a09083010011a03010203";
}

/* SPEC-TEST NI-01 MX-25 */
Test(session_info, packets_behind_it_wait_for_accept) {
    for (size_t p = 0; p < 3; p++) {
        for (size_t piece = 1; piece <= 1024; piece += 1023) {
            duo d;
            duo_open(&d, fx_profiles[p]);
            d.node.accepts = false;
            uint8_t body[1024];
            size_t len = 0;
            cr_assert_eq(
                sy_node_info_encode(fx_profiles[p]->codec, &d.raw.as.info, body, sizeof body, &len),
                SY_OK);
            fx_bytes plain = {.data = NULL};
            fx_add_prefixed(&plain, body, len);
            fx_add_hex(&plain, packets_of(fx_profiles[p]));
            fx_raw_write(&d.raw, plain.data, plain.len, piece);
            fx_raw_flush(&d.raw, &d.node);

            cr_expect_eq(d.node.err, SY_OK);
            cr_assert_not_null(d.node.remote);
            cr_expect_eq(d.node.messages, 0);
            cr_expect_gt(d.node.backlog.len, 0, "what is kept shows in what is not consumed");
            cr_expect_null(sy_session_mux(d.node.session));
            const size_t left = d.node.backlog.len;
            fx_feed(&d.node, "", 1);
            cr_expect_eq(d.node.backlog.len, left + 1, "nothing is taken before accept");
            d.node.backlog.len--;

            cr_assert_eq(sy_session_accept(d.node.session, d.loop.now), SY_OK);
            if (piece == 1024) {
                sy_session_event event;
                size_t used = 99;
                cr_assert_eq(
                    sy_session_recv(d.node.session, NULL, 0, &used, &event, NULL, d.loop.now),
                    SY_OK);
                cr_expect_eq(event.kind, SY_SESSION_MESSAGE, "also without input");
                cr_expect_eq(used, 0);
                cr_expect_eq(event.message.len, 5);
                cr_expect_arr_eq(event.message.data, "hello", 5);
                d.node.messages++;
            }
            fx_feed(&d.node, NULL, 0);
            cr_expect_eq(d.node.err, SY_OK, "%s", sy_err_name(d.node.err));
            cr_expect_eq(d.node.messages, 2);
            cr_expect_eq(d.node.backlog.len, 0);
            cr_expect(sy_session_at_boundary(d.node.session));
            cr_expect(sy_mux_wants_send(sy_session_mux(d.node.session), d.loop.now), "the pong");
            fx_free(&plain);
            duo_close(&d);
        }
    }
}

/* SPEC-TEST MX-52 */
Test(session_info, bad_packets_behind_it) {
    for (size_t p = 0; p < 3; p++) {
        duo d;
        duo_open(&d, fx_profiles[p]);
        fx_raw_write_info(&d.raw, 1024);
        fx_bytes plain = {.data = NULL};
        fx_add_hex(&plain, packets_of(fx_profiles[p]));
        fx_add_hex(&plain, "00");
        fx_raw_write(&d.raw, plain.data, plain.len, 1024);
        fx_raw_flush(&d.raw, &d.node);
        cr_expect_eq(d.node.err, SY_ERR_PACKET_TYPE, "%s", sy_err_name(d.node.err));
        cr_expect_eq(d.node.messages, 2, "what was complete before is delivered");
        fx_free(&plain);
        duo_close(&d);
    }
}

/* ---- the declared identity of plain ---- */

/* SPEC-TEST PL-03 */
Test(session_info, plain_id) {
    static const struct {
        const char *name;
        const char *id;
        bool ok;
    } rows[] = {
        {"digits and letters", "0123456789abcdef0123456789abcdef01234567", true},
        {"upper case", "0123456789ABCDEF0123456789ABCDEF01234567", false},
        {"one upper-case letter", "0123456789abcdef0123456789abcdef0123456F", false},
        {"39 digits", "0123456789abcdef0123456789abcdef0123456", false},
        {"41 digits", "0123456789abcdef0123456789abcdef012345678", false},
        {"not hexadecimal", "0123456789abcdeg0123456789abcdef01234567", false},
        {"blank in front", " 123456789abcdef0123456789abcdef01234567", false},
        {"empty", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        duo d;
        duo_open(&d, &sy_profile_plain);
        d.raw.as.info.id = (sy_text){.data = rows[i].id, .len = strlen(rows[i].id)};
        fx_raw_write_info(&d.raw, 1024);
        fx_raw_flush(&d.raw, &d.node);
        cr_expect_eq(d.node.err, rows[i].ok ? SY_OK : SY_ERR_NI_MALFORMED, "row %s: %s",
                     rows[i].name, sy_err_name(d.node.err));
        cr_expect_eq(d.node.identified, rows[i].ok, "row %s", rows[i].name);
        cr_expect(!d.node.proven, "row %s", rows[i].name);
        if (!rows[i].ok) {
            cr_expect_not_null(strstr(d.node.detail.text, "40 lower-case"), "row %s: %s",
                               rows[i].name, d.node.detail.text);
        }
        duo_close(&d);
    }
}

/* IDENTITY and INFO need no further byte between them. */
/* SPEC-TEST PL-04 */
Test(session_info, plain_identity_then_info) {
    duo d;
    duo_open(&d, &sy_profile_plain);
    fx_raw_write_info(&d.raw, 1024);
    sy_session_event event;
    size_t used = 0;
    cr_assert_eq(sy_session_recv(d.node.session, d.raw.out.data, d.raw.out.len, &used, &event, NULL,
                                 d.loop.now),
                 SY_OK);
    cr_expect_eq(event.kind, SY_SESSION_IDENTITY);
    cr_expect(!event.id_proven);
    cr_expect_eq(used, d.raw.out.len);
    cr_assert_eq(sy_session_recv(d.node.session, NULL, 0, &used, &event, NULL, d.loop.now), SY_OK);
    cr_expect_eq(event.kind, SY_SESSION_INFO);
    cr_expect(text_is(event.info->id, d.raw.as.id_text));
    cr_assert_eq(sy_session_recv(d.node.session, NULL, 0, &used, &event, NULL, d.loop.now), SY_OK);
    cr_expect_eq(event.kind, SY_SESSION_NONE);
    duo_close(&d);
}
