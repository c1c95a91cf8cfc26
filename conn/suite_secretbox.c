/* SPDX-License-Identifier: Apache-2.0 */
/* The suite of the tendermint profile: Station-to-Station over X25519, frames of NaCl secretbox.
 * Source: docs/spec/handshake-secretbox.md. */
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/le.h"
#include "base/mutant.h"
#include "base/rd.h"
#include "conn/scratch_internal.h"
#include "conn/suite.h"

#define POLY_KEY_LEN 32 /* the first bytes of each frame's key stream */
#define HEADER_LEN   4
#define SUBNONCE_AT                                                                                \
    16 /* secretbox is Salsa20 with HSalsa20(key, nonce[0..15]) and nonce[16..23]                  \
        */
#define RIPEMD160_LEN 20
#define PREFIX_LEN    4 /* amino: type of a registered value */

_Static_assert(POLY_KEY_LEN + HEADER_LEN <= SY_SCRATCH_HEADROOM, "the first frame has its room");
_Static_assert(crypto_secretbox_NONCEBYTES == SY_NONCE_LEN, "nonce");
_Static_assert(crypto_onetimeauth_poly1305_BYTES == SY_FRAME_TAG_LEN, "tag");

static const uint8_t eph_head[2] = {0x21, 0x20};
static const uint8_t auth_key_head[8] = {0x6e, 0x0a, 0x25, 0x16, 0x24, 0xde, 0x64, 0x20};
static const uint8_t auth_sig_head[7] = {0x12, 0x45, 0x20, 0x31, 0xea, 0x53, 0x40};
static const uint8_t prefix_ed25519_key[PREFIX_LEN] = {0x16, 0x24, 0xde, 0x64};
static const uint8_t prefix_ed25519_sig[PREFIX_LEN] = {0x20, 0x31, 0xea, 0x53};
static const uint8_t prefix_secp256k1_key[PREFIX_LEN] = {0xeb, 0x5a, 0xe9, 0x87};
static const uint8_t prefix_secp256k1_sig[PREFIX_LEN] = {0x7f, 0xc4, 0xa4, 0x95};

/* SPEC STS-01 */
static void encode_ephemeral(const uint8_t pub[32], uint8_t *out) {
    memcpy(out, eph_head, sizeof eph_head);
    memcpy(out + sizeof eph_head, pub, 32);
}

static sy_err decode_ephemeral(const uint8_t *in, size_t len, size_t *ret_used, uint8_t ret_pub[32],
                               sy_detail *detail) {
    /* SPEC STS-03 */
    for (size_t i = 0; i < sizeof eph_head && i < len; i++) {
        if (in[i] != eph_head[i] && !(SY_MUTANT(EPH_HEAD) && i == 1)) {
            sy_detail_set(detail, "byte %zu of the ephemeral key message is %02x, not %02x", i,
                          in[i], eph_head[i]);
            return SY_ERR_EPH_LENGTH;
        }
    }
    if (len < sizeof eph_head + 32) {
        *ret_used = 0;
        return SY_OK;
    }
    memcpy(ret_pub, in + sizeof eph_head, 32);
    *ret_used = sizeof eph_head + 32;
    return SY_OK;
}

static void init_key(sy_frame_key *key, const uint8_t k[32], const uint8_t nonce[SY_NONCE_LEN]) {
    memset(key, 0, sizeof *key);
    memcpy(key->key, k, 32);
    memcpy(key->nonce, nonce, SY_NONCE_LEN);
}

/* nonce1 = RIPEMD160(lo || hi) and four zero bytes. */
static bool first_nonce(const uint8_t sorted[64], uint8_t ret_nonce[SY_NONCE_LEN]) {
    size_t len = 0;
    memset(ret_nonce, 0, SY_NONCE_LEN);
    return EVP_Q_digest(NULL, "RIPEMD160", NULL, sorted, 64, ret_nonce, &len) == 1 &&
           len == RIPEMD160_LEN;
}

static sy_err derive(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                     const uint8_t remote_pub[32], sy_key_schedule *ret_keys) {
    static const uint8_t zero[16] = {0};
    uint8_t shared[32];
    const sy_err err = sy_x25519(eph_secret, eph_pub, remote_pub, shared);
    if (err != SY_OK) {
        return err;
    }

    const bool we_are_lo = memcmp(eph_pub, remote_pub, 32) < 0;
    uint8_t sorted[64];
    memcpy(sorted, we_are_lo ? eph_pub : remote_pub, 32);
    memcpy(sorted + 32, we_are_lo ? remote_pub : eph_pub, 32);
    uint8_t nonce1[SY_NONCE_LEN];
    if (!first_nonce(sorted, nonce1)) {
        sodium_memzero(shared, sizeof shared);
        return SY_ERR_CRYPTO_LIB;
    }
    uint8_t nonce2[SY_NONCE_LEN];
    memcpy(nonce2, nonce1, sizeof nonce2);
    nonce2[SY_NONCE_LEN - 1] ^= 1;

    /* SPEC STS-08: K = HSalsa20(shared, 0), the same in both directions. */
    uint8_t k[32];
    (void)crypto_core_hsalsa20(k, zero, shared, NULL); /* cannot fail */
    /* SPEC STS-09 */
    init_key(&ret_keys->send, k, we_are_lo ? nonce2 : nonce1);
    init_key(&ret_keys->recv, k, we_are_lo ? nonce1 : nonce2);
    /* SPEC STS-10 */
    (void)crypto_hash_sha256(ret_keys->challenge, sorted, sizeof sorted); /* cannot fail */

    sodium_memzero(shared, sizeof shared);
    sodium_memzero(k, sizeof k);
    return SY_OK;
}

/* SPEC STS-21 */
static void encode_auth(const sy_auth_msg *auth, uint8_t *out) {
    memcpy(out, auth_key_head, sizeof auth_key_head);
    out += sizeof auth_key_head;
    memcpy(out, auth->pubkey, sizeof auth->pubkey);
    out += sizeof auth->pubkey;
    memcpy(out, auth_sig_head, sizeof auth_sig_head);
    out += sizeof auth_sig_head;
    memcpy(out, auth->sig, sizeof auth->sig);
}

/* A registered value of one type, to be found in an interface field. */
typedef struct registered {
    const char *what;
    const uint8_t *prefix;
    const uint8_t *prefix_secp256k1; /* the other type that upstream knows */
    size_t len;
    sy_err wrong_type;
} registered;

static const registered registered_key = {"public key", prefix_ed25519_key, prefix_secp256k1_key,
                                          SY_CONN_KEY_LEN, SY_ERR_AUTH_KEY_TYPE};
static const registered registered_sig = {"signature", prefix_ed25519_sig, prefix_secp256k1_sig,
                                          SY_CONN_SIG_LEN, SY_ERR_AUTH_SIG_TYPE};

/* The content of an interface field: prefix, then a byte array with its length.
 * SPEC STS-28 STS-29 */
static sy_err decode_registered(const registered *type, sy_bytes content, uint8_t *ret_value,
                                sy_detail *detail) {
    sy_rd rd;
    sy_rd_init(&rd, content.data, content.len);
    const sy_bytes prefix = sy_rd_bytes(&rd, PREFIX_LEN);
    if (rd.err != SY_OK) {
        sy_detail_set(detail, "%s of %zu bytes has no type prefix", type->what, content.len);
        return SY_ERR_AUTH_MALFORMED;
    }
    if (memcmp(prefix.data, type->prefix, PREFIX_LEN) != 0 && !SY_MUTANT(AUTH_TYPE)) {
        const bool secp256k1 = memcmp(prefix.data, type->prefix_secp256k1, PREFIX_LEN) == 0;
        sy_detail_set(detail, "%s has type prefix %02x%02x%02x%02x%s", type->what, prefix.data[0],
                      prefix.data[1], prefix.data[2], prefix.data[3],
                      secp256k1 ? " (secp256k1)" : "");
        return type->wrong_type;
    }
    const sy_bytes value = sy_rd_len_bytes(&rd);
    const sy_err err = sy_rd_finish(&rd);
    if (err != SY_OK) {
        sy_detail_set(detail, "%s: %s", type->what, sy_strerror(err));
        return SY_ERR_AUTH_MALFORMED;
    }
    if (SY_MUTANT(AUTH_SIG_LEN) && value.len > type->len) {
        memcpy(ret_value, value.data, type->len);
        return SY_OK;
    }
    if (value.len != type->len) {
        sy_detail_set(detail, "%s has %zu bytes, not %zu", type->what, value.len, type->len);
        return SY_ERR_AUTH_MALFORMED;
    }
    memcpy(ret_value, value.data, value.len);
    return SY_OK;
}

/* Whether the length of the length-delimited field at `at` is written in its shortest form; the
 * field was read before, so both numbers are there. */
static bool has_minimal_length(const uint8_t *at, const uint8_t *end) {
    uint64_t value = 0;
    size_t size = 0;
    bool minimal = false;
    if (sy_uvarint_peek(at, (size_t)(end - at), &value, &size, &minimal) != SY_PREFIX_DONE) {
        return false;
    }
    at += size;
    return sy_uvarint_peek(at, (size_t)(end - at), &value, &size, &minimal) == SY_PREFIX_DONE &&
           minimal;
}

typedef struct auth_parse {
    uint32_t last_number;
    bool has_key;
    bool has_sig;
    sy_auth_msg auth;
} auth_parse;

/* SPEC STS-24 STS-25 */
static sy_err take_field(auth_parse *parse, const sy_field *field, const uint8_t *at,
                         const uint8_t *end, sy_detail *detail) {
    if (field->number <= parse->last_number && !SY_MUTANT(AUTH_ORDER)) {
        sy_detail_set(detail, "field %u after field %u", (unsigned)field->number,
                      (unsigned)parse->last_number);
        return SY_ERR_AUTH_MALFORMED;
    }
    parse->last_number = field->number;
    if (field->number > 2) {
        return SY_MUTANT(AUTH_UNKNOWN_TM) ? SY_ERR_AUTH_MALFORMED : SY_OK;
    }
    if (field->type != SY_WIRE_BYTES) {
        sy_detail_set(detail, "field %u has wire type %d", (unsigned)field->number,
                      (int)field->type);
        return SY_ERR_AUTH_MALFORMED;
    }
    if (!has_minimal_length(at, end) && !SY_MUTANT(AUTH_INNER)) {
        sy_detail_set(detail, "length of field %u is not minimal", (unsigned)field->number);
        return SY_ERR_AUTH_MALFORMED;
    }
    if (field->number == 1) {
        parse->has_key = true;
        return decode_registered(&registered_key, field->bytes, parse->auth.pubkey, detail);
    }
    parse->has_sig = true;
    return decode_registered(&registered_sig, field->bytes, parse->auth.sig, detail);
}

static sy_err decode_auth(const uint8_t *body, size_t len, sy_auth_msg *ret_auth,
                          sy_detail *detail) {
    auth_parse parse = {.last_number = 0};
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, body, len);
    for (;;) {
        const uint8_t *at = rd.pos;
        if (!sy_rd_field(&rd, &field)) {
            break;
        }
        const sy_err err = take_field(&parse, &field, at, rd.end, detail);
        if (err != SY_OK) {
            return err;
        }
    }
    if (rd.err != SY_OK) {
        sy_detail_set(detail, "after %zu of %zu bytes: %s", len - sy_rd_left(&rd), len,
                      sy_strerror(rd.err));
        return SY_ERR_AUTH_MALFORMED;
    }
    /* SPEC STS-26 STS-27 */
    if (!parse.has_key) {
        return SY_ERR_AUTH_NO_KEY;
    }
    if (!parse.has_sig) {
        return SY_ERR_AUTH_NO_SIG;
    }
    *ret_auth = parse.auth;
    return SY_OK;
}

/* SPEC STS-11 */
static void advance_nonce(sy_frame_key *key) {
    unsigned carry = 2;
    size_t i = SY_NONCE_LEN;
    while (carry != 0 && i > 0) {
        i--;
        carry += key->nonce[i];
        key->nonce[i] = (uint8_t)carry;
        carry >>= 8;
    }
    if (i < SUBNONCE_AT) {
        key->subkey_valid = false;
    }
}

static void ensure_subkey(sy_frame_key *key) {
    if (!key->subkey_valid) {
        (void)crypto_core_hsalsa20(key->subkey, key->nonce, key->key, NULL); /* cannot fail */
        key->subkey_valid = true;
    }
}

/* The 32 bytes in front of the frame become the Poly1305 key, because secretbox takes it from the
 * start of the key stream; one pass over both is nearly twice as fast as a block for the key and
 * then the rest. */
static void xor_frame(const sy_frame_key *key, uint8_t *frame) {
    SY_ASSERT(key->subkey_valid);
    uint8_t *start = frame - POLY_KEY_LEN;
    memset(start, 0, POLY_KEY_LEN);
    (void)crypto_stream_salsa20_xor_ic(start, start, POLY_KEY_LEN + SY_FRAME_LEN,
                                       key->nonce + SUBNONCE_AT, /* ic= */ 0, key->subkey);
}

static void store32_be(uint8_t *p, uint32_t x) {
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(x >> (24 - 8 * i));
    }
}

static uint32_t load32_be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* SPEC STS-13 STS-14: what stands behind the data is zero. */
static void pad(uint8_t *data, size_t len) {
    memset(data + len, SY_MUTANT(PADDING_SENT_TM) ? 0x55 : 0, SY_FRAME_DATA_MAX - len);
}

/* SPEC STS-12: tag, then ciphertext. */
static void seal_one(sy_frame_key *key, uint8_t *plain, size_t len, uint8_t *out) {
    uint8_t *frame = plain - HEADER_LEN;
    store32_be(frame, (uint32_t)len);
    pad(plain, len);
    ensure_subkey(key);
    xor_frame(key, frame);
    memcpy(out + SY_FRAME_TAG_LEN, frame, SY_FRAME_LEN);
    (void)crypto_onetimeauth_poly1305(out, frame, SY_FRAME_LEN, frame - POLY_KEY_LEN);
    sodium_memzero(frame - POLY_KEY_LEN, POLY_KEY_LEN);
    advance_nonce(key);
}

/* How many of the next frames may go together: they have to share the subkey, which changes when
 * the nonce carries into its first 16 bytes. */
static size_t take_several(const sy_lanes *lanes, const sy_frame_key *key, size_t frames) {
    const bool near_carry = memcmp(key->nonce + SUBNONCE_AT, "\xff\xff\xff\xff\xff\xff", 6) == 0;
    return near_carry ? 0 : sy_lanes_take(lanes, frames);
}

/* The nonces of `frames` frames from here on; leaves those of the key as they are. */
static void start_job(sy_lanes_job *job, sy_frame_key *key, size_t frames) {
    ensure_subkey(key);
    job->key = key->subkey;
    job->frames = frames;
    sy_frame_key at = {.subkey_valid = false};
    memcpy(at.nonce, key->nonce, sizeof at.nonce);
    for (size_t i = 0; i < frames; i++) {
        job->nonce[i] = sy_load_le(at.nonce + SUBNONCE_AT, 8);
        advance_nonce(&at);
    }
}

/* `len` bytes in `frames` frames, of which only the last may be short. */
static void seal_several(sy_frame_key *key, const sy_lanes *lanes, uint8_t *plain, size_t len,
                         size_t frames, uint8_t *out) {
    sy_lanes_job job;
    start_job(&job, key, frames);
    for (size_t i = 0; i < frames; i++) {
        const size_t n = len < SY_FRAME_DATA_MAX ? len : SY_FRAME_DATA_MAX;
        store32_be(job.head[i], (uint32_t)n);
        pad(plain + i * SY_FRAME_DATA_MAX, n);
        advance_nonce(key);
        len -= n;
    }
    lanes->salsa20_poly1305.seal(&job, plain, out);
}

static sy_err seal(sy_frame_key *key, sy_scratch *scratch, uint8_t *plain, size_t plain_len,
                   uint8_t *out) {
    SY_ASSERT(plain_len >= 1); /* SPEC STS-16 */
    size_t frames = (plain_len + SY_FRAME_DATA_MAX - 1) / SY_FRAME_DATA_MAX;
    while (frames > 0) {
        const size_t several = take_several(scratch->lanes, key, frames);
        const size_t count = several > 0 ? several : 1;
        const size_t area = count * SY_FRAME_DATA_MAX;
        const size_t len = plain_len < area ? plain_len : area;
        if (several > 0) {
            seal_several(key, scratch->lanes, plain, len, several, out);
        } else {
            seal_one(key, plain, len, out);
        }
        plain += area;
        plain_len -= len;
        out += count * SY_SEALED_LEN;
        frames -= count;
    }
    return SY_OK;
}

static sy_err open_frame(sy_frame_key *key, const uint8_t *in, uint8_t *out, sy_frame_run *run) {
    uint8_t *frame = out - HEADER_LEN;
    uint8_t *start = frame - POLY_KEY_LEN;
    uint8_t before[POLY_KEY_LEN + HEADER_LEN];
    memcpy(before, start, sizeof before);

    ensure_subkey(key);
    memcpy(frame, in + SY_FRAME_TAG_LEN, SY_FRAME_LEN);
    xor_frame(key, frame);
    sy_err err = SY_OK;
    /* SPEC STS-17 */
    if (crypto_onetimeauth_poly1305_verify(in, in + SY_FRAME_TAG_LEN, SY_FRAME_LEN, start) != 0 &&
        !SY_MUTANT(FRAME_TAG_TM)) {
        err = SY_ERR_FRAME_TAG;
    } else {
        /* SPEC STS-15: what follows the data is not looked at. */
        err = sy_frame_run_accept(run, load32_be(frame));
        if (SY_MUTANT(PADDING_TM) && run->declared < SY_FRAME_DATA_MAX &&
            frame[SY_FRAME_LEN - 1] != 0) {
            err = SY_ERR_FRAME_LENGTH;
        }
    }
    if (err == SY_OK) {
        advance_nonce(key);
    } else {
        sodium_memzero(frame, SY_FRAME_LEN);
    }
    sodium_memzero(start, POLY_KEY_LEN);
    memcpy(start, before, sizeof before);
    return err;
}

static sy_err open_several(sy_frame_key *key, const sy_lanes *lanes, const uint8_t *in,
                           size_t frames, uint8_t *out, sy_frame_run *run) {
    sy_lanes_job job;
    start_job(&job, key, frames);
    const size_t good = lanes->salsa20_poly1305.open(&job, in, out + run->len);
    uint32_t data_len[SY_LANES_FRAMES];
    for (size_t i = 0; i < good; i++) {
        data_len[i] = load32_be(job.head[i]);
    }
    size_t taken = 0;
    const sy_err err = sy_frame_run_take(run, out, data_len, good, &taken);
    for (size_t i = 0; i < taken; i++) {
        advance_nonce(key);
    }
    /* SPEC STS-17 */
    return err == SY_OK && good < frames ? SY_ERR_FRAME_TAG : err;
}

static sy_err open_batch(sy_frame_key *key, sy_scratch *scratch, const uint8_t *in, size_t count,
                         uint8_t *out, sy_frame_run *run) {
    /* Mutants look at what a frame brings with it, which only the one-frame path sees. */
    const sy_lanes *lanes =
        SY_MUTANT(FRAME_TAG_TM) || SY_MUTANT(PADDING_TM) ? NULL : scratch->lanes;
    while (count > 0) {
        const size_t several = take_several(lanes, key, count);
        const sy_err err = several > 0 ? open_several(key, lanes, in, several, out, run)
                                       : open_frame(key, in, out + run->len, run);
        if (err != SY_OK) {
            return err;
        }
        const size_t opened = several > 0 ? several : 1;
        in += opened * SY_SEALED_LEN;
        count -= opened;
    }
    return SY_OK;
}

const sy_suite sy_suite_secretbox = {
    .name = "secretbox",
    .eph_msg_len = sizeof eph_head + 32,
    .auth_msg_len = sizeof auth_key_head + SY_CONN_KEY_LEN + sizeof auth_sig_head + SY_CONN_SIG_LEN,
    .encode_ephemeral = encode_ephemeral,
    .decode_ephemeral = decode_ephemeral,
    .derive = derive,
    .encode_auth = encode_auth,
    .decode_auth = decode_auth,
    .seal = seal,
    .open = open_batch,
};
