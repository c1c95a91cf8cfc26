/* SPDX-License-Identifier: Apache-2.0 */
/* The suite of the cometbft profile: X25519, HKDF, a Merlin challenge, ChaCha20-Poly1305 frames.
 * Source: docs/spec/handshake-cometbft.md. */
#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/le.h"
#include "base/mutant.h"
#include "base/rd.h"
#include "conn/hkdf.h"
#include "conn/merlin.h"
#include "conn/scratch_internal.h"
#include "conn/suite.h"

#define HEADER_LEN       4
#define COUNTER_AT       4 /* nonce: four zero bytes, then the counter */

#define KEY_KIND_ED25519 1 /* numbers of the fields of PublicKey */
#define KEY_KIND_MAX     5 /* secp256k1, bls12381, mldsa65, secp256k1eth in upstream's versions */

_Static_assert(HEADER_LEN <= SY_SCRATCH_HEADROOM, "the first frame has its room");

static const uint8_t eph_head[3] = {0x22, 0x0a, 0x20};
static const uint8_t auth_key_head[5] = {0x66, 0x0a, 0x22, 0x0a, 0x20};
static const uint8_t auth_sig_head[2] = {0x12, 0x40};

/* SPEC CC-01 */
static void encode_ephemeral(const uint8_t pub[32], uint8_t *out) {
    memcpy(out, eph_head, sizeof eph_head);
    memcpy(out + sizeof eph_head, pub, 32);
}

static sy_err decode_ephemeral(const uint8_t *in, size_t len, size_t *ret_used, uint8_t ret_pub[32],
                               sy_detail *detail) {
    for (size_t i = 0; i < sizeof eph_head && i < len; i++) {
        if (in[i] != eph_head[i] && !(SY_MUTANT(EPH_INNER) && i == 2) &&
            !(SY_MUTANT(EPH_FIELD) && i == 1)) {
            sy_detail_set(detail, "byte %zu of the ephemeral key message is %02x, not %02x", i,
                          in[i], eph_head[i]);
            /* SPEC CC-03 CC-04: the middle byte is the field key, the others are lengths. */
            return i == 1 ? SY_ERR_EPH_MALFORMED : SY_ERR_EPH_LENGTH;
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

/* SPEC CC-11 */
static void draw_challenge(const uint8_t lo[32], const uint8_t hi[32], const uint8_t shared[32],
                           uint8_t ret_challenge[32]) {
    sy_merlin transcript;
    sy_merlin_init(&transcript, "TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH");
    sy_merlin_append(&transcript, "EPHEMERAL_LOWER_PUBLIC_KEY", lo, 32);
    sy_merlin_append(&transcript, "EPHEMERAL_UPPER_PUBLIC_KEY", hi, 32);
    sy_merlin_append(&transcript, "DH_SECRET", shared, 32);
    sy_merlin_challenge(&transcript, "SECRET_CONNECTION_MAC", ret_challenge, 32);
    sy_merlin_wipe(&transcript);
}

static void init_key(sy_frame_key *key, const uint8_t k[32]) {
    memset(key, 0, sizeof *key); /* SPEC CC-16: the counter starts at 0 */
    memcpy(key->key, k, 32);
}

static sy_err derive(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                     const uint8_t remote_pub[32], sy_key_schedule *ret_keys) {
    static const char info[] = "TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN";
    uint8_t shared[32];
    const sy_err err = sy_x25519(eph_secret, eph_pub, remote_pub, shared);
    if (err != SY_OK) {
        return err;
    }

    /* SPEC CC-09: of the 96 bytes only the first 64 are used, and they do not depend on the rest.
     */
    uint8_t okm[64];
    sy_hkdf_sha256(shared, sizeof shared, /* salt= */ NULL, 0, (const uint8_t *)info,
                   sizeof info - 1, okm, sizeof okm);
    /* SPEC CC-10 */
    const bool we_are_lo = memcmp(eph_pub, remote_pub, 32) < 0;
    init_key(&ret_keys->send, we_are_lo ? okm + 32 : okm);
    init_key(&ret_keys->recv, we_are_lo ? okm : okm + 32);
    draw_challenge(we_are_lo ? eph_pub : remote_pub, we_are_lo ? remote_pub : eph_pub, shared,
                   ret_keys->challenge);

    sodium_memzero(shared, sizeof shared);
    sodium_memzero(okm, sizeof okm);
    return SY_OK;
}

/* SPEC CC-25 */
static void encode_auth(const sy_auth_msg *auth, uint8_t *out) {
    memcpy(out, auth_key_head, sizeof auth_key_head);
    out += sizeof auth_key_head;
    memcpy(out, auth->pubkey, sizeof auth->pubkey);
    out += sizeof auth->pubkey;
    memcpy(out, auth_sig_head, sizeof auth_sig_head);
    out += sizeof auth_sig_head;
    memcpy(out, auth->sig, sizeof auth->sig);
}

static sy_err malformed(const char *where, const sy_rd *rd, sy_detail *detail) {
    sy_detail_set(detail, "%s: %s", where, sy_strerror(rd->err));
    return SY_ERR_AUTH_MALFORMED;
}

static sy_err check_bytes(const char *what, const sy_field *field, size_t len, sy_detail *detail) {
    if (field->type != SY_WIRE_BYTES) {
        sy_detail_set(detail, "%s has wire type %d", what, (int)field->type);
        return SY_ERR_AUTH_MALFORMED;
    }
    if (field->bytes.len != len) {
        sy_detail_set(detail, "%s has %zu bytes, not %zu", what, field->bytes.len, len);
        return SY_ERR_AUTH_MALFORMED;
    }
    return SY_OK;
}

/* PublicKey is a choice of one key.  Kinds that upstream has are refused wherever they stand; a
 * field that nobody knows is skipped when the ed25519 key is there too.  SPEC CC-31 */
static sy_err decode_pubkey(sy_bytes content, uint8_t ret_pubkey[32], sy_detail *detail) {
    /* SPEC CC-30 */
    if (content.len == 0) {
        sy_detail_set(detail, "field 1 is empty");
        return SY_ERR_AUTH_NO_KEY;
    }
    bool found = false;
    uint32_t other = 0;
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, content.data, content.len);
    while (sy_rd_field(&rd, &field)) {
        if (field.number != KEY_KIND_ED25519 && !SY_MUTANT(AUTH_KIND)) {
            other = field.number;
            if (field.number <= KEY_KIND_MAX) {
                break;
            }
            continue;
        }
        /* SPEC CC-32 */
        const sy_err err = check_bytes("public key", &field, SY_CONN_KEY_LEN, detail);
        if (err != SY_OK) {
            return err;
        }
        memcpy(ret_pubkey, field.bytes.data, SY_CONN_KEY_LEN);
        found = true;
    }
    if (rd.err != SY_OK) {
        return malformed("public key", &rd, detail);
    }
    if (!found || (other != 0 && other <= KEY_KIND_MAX)) {
        sy_detail_set(detail, "public key is of kind %u, not %d (ed25519)", (unsigned)other,
                      KEY_KIND_ED25519);
        return SY_ERR_AUTH_KEY_TYPE;
    }
    return SY_OK;
}

typedef struct auth_parse {
    bool has_key;
    bool has_sig;
    sy_auth_msg auth;
} auth_parse;

static sy_err take_key(auth_parse *parse, const sy_field *field, sy_detail *detail) {
    /* SPEC CC-29 */
    if (parse->has_key && !SY_MUTANT(AUTH_TWICE)) {
        sy_detail_set(detail, "field 1 given twice");
        return SY_ERR_AUTH_MALFORMED;
    }
    if (field->type != SY_WIRE_BYTES) {
        sy_detail_set(detail, "field 1 has wire type %d", (int)field->type);
        return SY_ERR_AUTH_MALFORMED;
    }
    parse->has_key = true;
    return decode_pubkey(field->bytes, parse->auth.pubkey, detail);
}

static sy_err take_sig(auth_parse *parse, const sy_field *field, sy_detail *detail) {
    /* SPEC CC-33: empty is absent, and the last one counts, as in protobuf. */
    if (field->type == SY_WIRE_BYTES && field->bytes.len == 0) {
        parse->has_sig = false;
        return SY_OK;
    }
    const bool longer = SY_MUTANT(AUTH_SIG_LEN) && field->bytes.len > SY_CONN_SIG_LEN;
    const sy_err err = longer ? SY_OK : check_bytes("signature", field, SY_CONN_SIG_LEN, detail);
    if (err != SY_OK) {
        return err;
    }
    memcpy(parse->auth.sig, field->bytes.data, SY_CONN_SIG_LEN);
    parse->has_sig = true;
    return SY_OK;
}

static sy_err decode_auth(const uint8_t *body, size_t len, sy_auth_msg *ret_auth,
                          sy_detail *detail) {
    auth_parse parse = {.has_key = false};
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, body, len);
    /* SPEC CC-28: any order, unknown fields are skipped. */
    while (sy_rd_field(&rd, &field)) {
        sy_err err = SY_OK;
        if (field.number == 1) {
            err = take_key(&parse, &field, detail);
        } else if (field.number == 2) {
            err = take_sig(&parse, &field, detail);
        } else if (SY_MUTANT(AUTH_UNKNOWN_CB)) {
            err = SY_ERR_AUTH_MALFORMED;
        }
        if (err != SY_OK) {
            return err;
        }
    }
    if (rd.err != SY_OK) {
        return malformed("authentication message", &rd, detail);
    }
    if (!parse.has_key) {
        return SY_ERR_AUTH_NO_KEY;
    }
    if (!parse.has_sig) {
        return SY_ERR_AUTH_NO_SIG;
    }
    *ret_auth = parse.auth;
    return SY_OK;
}

/* Frames that the counter allows.  Its last value is not used: the counter would wrap after it.
 * SPEC CC-17 */
static uint64_t frames_left(const sy_frame_key *key) {
    return UINT64_MAX - sy_load_le(key->nonce + COUNTER_AT, 8);
}

/* SPEC CC-16 */
static void advance_counter(sy_frame_key *key) {
    SY_ASSERT(frames_left(key) > 0);
    sy_store_le(key->nonce + COUNTER_AT, sy_load_le(key->nonce + COUNTER_AT, 8) + 1, 8);
}

/* The key once per batch; each frame then sets only its nonce. */
static sy_err set_key(EVP_CIPHER_CTX *ctx, const sy_frame_key *key, int enc) {
    return EVP_CipherInit_ex2(ctx, NULL, key->key, /* iv= */ NULL, enc, NULL) == 1
               ? SY_OK
               : SY_ERR_CRYPTO_LIB;
}

/* SPEC CC-14: ciphertext, then tag; no associated data. */
static sy_err seal_frame(sy_frame_key *key, EVP_CIPHER_CTX *ctx, const uint8_t *frame,
                         uint8_t *out) {
    int len = 0;
    if (EVP_EncryptInit_ex2(ctx, NULL, NULL, key->nonce, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, out, &len, frame, SY_FRAME_LEN) != 1 || len != SY_FRAME_LEN ||
        EVP_EncryptFinal_ex(ctx, out + SY_FRAME_LEN, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SY_FRAME_TAG_LEN, out + SY_FRAME_LEN) !=
            1) {
        return SY_ERR_CRYPTO_LIB;
    }
    advance_counter(key);
    return SY_OK;
}

/* SPEC CC-15 CC-18: what stands behind the data is zero. */
static void pad(uint8_t *data, size_t len) {
    memset(data + len, SY_MUTANT(PADDING_SENT_CB) ? 0x55 : 0, SY_FRAME_DATA_MAX - len);
}

/* The nonces of the next frames, for several at once. */
static void start_job(sy_lanes_job *job, const sy_frame_key *key, size_t frames) {
    job->key = key->key;
    job->frames = frames;
    const uint64_t counter = sy_load_le(key->nonce + COUNTER_AT, 8);
    for (size_t i = 0; i < frames; i++) {
        job->nonce[i] = counter + i;
    }
}

/* `len` bytes in `frames` frames, of which only the last may be short. */
static void seal_several(sy_frame_key *key, const sy_lanes *lanes, uint8_t *plain, size_t len,
                         size_t frames, uint8_t *out) {
    sy_lanes_job job;
    start_job(&job, key, frames);
    for (size_t i = 0; i < frames; i++) {
        const size_t n = len < SY_FRAME_DATA_MAX ? len : SY_FRAME_DATA_MAX;
        sy_store_le(job.head[i], n, HEADER_LEN);
        pad(plain + i * SY_FRAME_DATA_MAX, n);
        advance_counter(key);
        len -= n;
    }
    lanes->chacha20_poly1305.seal(&job, plain, out);
}

static sy_err seal_one(sy_frame_key *key, EVP_CIPHER_CTX *ctx, uint8_t *plain, size_t len,
                       uint8_t *out) {
    uint8_t *frame = plain - HEADER_LEN;
    sy_store_le(frame, len, HEADER_LEN);
    pad(plain, len);
    return seal_frame(key, ctx, frame, out);
}

static sy_err seal(sy_frame_key *key, sy_scratch *scratch, uint8_t *plain, size_t plain_len,
                   uint8_t *out) {
    SY_ASSERT(plain_len >= 1); /* SPEC CC-20 */
    size_t frames = (plain_len + SY_FRAME_DATA_MAX - 1) / SY_FRAME_DATA_MAX;
    if (frames_left(key) < frames) {
        return SY_ERR_NONCE_EXHAUSTED;
    }
    bool keyed = false;
    while (frames > 0) {
        const size_t several = sy_lanes_take(scratch->lanes, frames);
        const size_t count = several > 0 ? several : 1;
        const size_t area = count * SY_FRAME_DATA_MAX;
        const size_t len = plain_len < area ? plain_len : area;
        if (several > 0) {
            seal_several(key, scratch->lanes, plain, len, several, out);
        } else {
            sy_err err = keyed ? SY_OK : set_key(scratch->seal, key, /* enc= */ 1);
            keyed = true;
            if (err == SY_OK) {
                err = seal_one(key, scratch->seal, plain, len, out);
            }
            if (err != SY_OK) {
                return err;
            }
        }
        plain += area;
        plain_len -= len;
        out += count * SY_SEALED_LEN;
        frames -= count;
    }
    return SY_OK;
}

/* Decrypts and verifies; a frame that fails may have left bytes in `frame`. */
static sy_err open_sealed(const sy_frame_key *key, EVP_CIPHER_CTX *ctx, const uint8_t *in,
                          uint8_t *frame) {
    uint8_t tag[SY_FRAME_TAG_LEN]; /* OpenSSL takes it as not const */
    memcpy(tag, in + SY_FRAME_LEN, sizeof tag);
    int len = 0;
    if (EVP_DecryptInit_ex2(ctx, NULL, NULL, key->nonce, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SY_FRAME_TAG_LEN, tag) != 1 ||
        EVP_DecryptUpdate(ctx, frame, &len, in, SY_FRAME_LEN) != 1 || len != SY_FRAME_LEN) {
        return SY_ERR_CRYPTO_LIB;
    }
    /* SPEC CC-21 */
    uint8_t none[SY_FRAME_TAG_LEN];
    return EVP_DecryptFinal_ex(ctx, none, &len) == 1 || SY_MUTANT(FRAME_TAG_CB) ? SY_OK
                                                                                : SY_ERR_FRAME_TAG;
}

static sy_err open_frame(sy_frame_key *key, EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *out,
                         sy_frame_run *run) {
    if (frames_left(key) == 0) {
        return SY_ERR_NONCE_EXHAUSTED;
    }
    uint8_t *frame = out - HEADER_LEN;
    uint8_t before[HEADER_LEN];
    memcpy(before, frame, sizeof before);

    sy_err err = open_sealed(key, ctx, in, frame);
    if (err == SY_OK) {
        /* SPEC CC-19: what follows the data is not looked at. */
        err = sy_frame_run_accept(run, (uint32_t)sy_load_le(frame, HEADER_LEN));
        if (SY_MUTANT(PADDING_CB) && run->declared < SY_FRAME_DATA_MAX &&
            frame[SY_FRAME_LEN - 1] != 0) {
            err = SY_ERR_FRAME_LENGTH;
        }
    }
    if (err == SY_OK) {
        advance_counter(key);
    } else {
        sodium_memzero(frame, SY_FRAME_LEN);
    }
    memcpy(frame, before, sizeof before);
    return err;
}

static sy_err open_several(sy_frame_key *key, const sy_lanes *lanes, const uint8_t *in,
                           size_t frames, uint8_t *out, sy_frame_run *run) {
    sy_lanes_job job;
    start_job(&job, key, frames);
    const size_t good = lanes->chacha20_poly1305.open(&job, in, out + run->len);
    uint32_t data_len[SY_LANES_FRAMES];
    for (size_t i = 0; i < good; i++) {
        data_len[i] = (uint32_t)sy_load_le(job.head[i], HEADER_LEN);
    }
    size_t taken = 0;
    const sy_err err = sy_frame_run_take(run, out, data_len, good, &taken);
    for (size_t i = 0; i < taken; i++) {
        advance_counter(key);
    }
    /* SPEC CC-21 */
    return err == SY_OK && good < frames ? SY_ERR_FRAME_TAG : err;
}

/* Mutants look at what a frame brings with it, which only the one-frame path sees. */
static bool one_by_one(const sy_frame_key *key, size_t frames) {
    return frames_left(key) < frames || SY_MUTANT(FRAME_TAG_CB) || SY_MUTANT(PADDING_CB);
}

static sy_err open_batch(sy_frame_key *key, sy_scratch *scratch, const uint8_t *in, size_t count,
                         uint8_t *out, sy_frame_run *run) {
    const sy_lanes *lanes = one_by_one(key, count) ? NULL : scratch->lanes;
    bool keyed = false;
    while (count > 0) {
        const size_t several = sy_lanes_take(lanes, count);
        sy_err err = SY_OK;
        if (several > 0) {
            err = open_several(key, lanes, in, several, out, run);
        } else {
            err = keyed ? SY_OK : set_key(scratch->open, key, /* enc= */ 0);
            keyed = true;
            if (err == SY_OK) {
                err = open_frame(key, scratch->open, in, out + run->len, run);
            }
        }
        if (err != SY_OK) {
            return err;
        }
        const size_t opened = several > 0 ? several : 1;
        in += opened * SY_SEALED_LEN;
        count -= opened;
    }
    return SY_OK;
}

const sy_suite sy_suite_cometbft = {
    .name = "cometbft",
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
