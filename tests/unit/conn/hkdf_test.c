/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256 against the vectors of RFC 5869 and against OpenSSL's implementation. */
#include "conn/hkdf.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"

/* SPEC-TEST CC-09 */
Test(hkdf, vectors) {
    vec_file *file = vec_open("cometbft/hkdf.json");
    const vec_node *rows = vec_get(vec_root(file), "cases");
    cr_assert_gt(vec_len(rows), 0);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        uint8_t ikm[128];
        uint8_t salt[128];
        uint8_t info[128];
        uint8_t want[128];
        uint8_t got[128];
        const size_t ikm_len = vec_hex(row, "ikm", ikm, sizeof ikm);
        const size_t salt_len = vec_hex(row, "salt", salt, sizeof salt);
        const size_t info_len = vec_hex(row, "info", info, sizeof info);
        const size_t len = vec_hex(row, "okm", want, sizeof want);
        cr_assert_eq(len, vec_u64(row, "length"));

        sy_hkdf_sha256(ikm, ikm_len, salt, salt_len, info, info_len, got, len);

        cr_assert_arr_eq(got, want, len, "row %s: %s", vec_name(row), test_hex_of(got, len));
    }
    vec_close(file);
}

/* Every output length around the block size, and the longest. */
Test(hkdf, equals_openssl) {
    static uint8_t got[SY_HKDF_OUT_MAX + 1];
    static uint8_t want[SY_HKDF_OUT_MAX];
    uint8_t ikm[32];
    uint8_t info[50];
    memset(ikm, 7, sizeof ikm);
    memset(info, 9, sizeof info);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, ikm, sizeof ikm),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end(),
    };

    for (size_t len = 1; len <= SY_HKDF_OUT_MAX; len += len < 130 ? 1 : 803) {
        EVP_KDF_CTX_reset(ctx);
        cr_assert_eq(EVP_KDF_derive(ctx, want, len, params), 1);
        got[len] = 0xcc;
        sy_hkdf_sha256(ikm, sizeof ikm, NULL, 0, info, sizeof info, got, len);
        cr_assert_arr_eq(got, want, len, "length %zu", len);
        cr_assert_eq(got[len], 0xcc, "length %zu: wrote behind the end", len);
    }

    EVP_KDF_CTX_reset(ctx);
    cr_assert_eq(EVP_KDF_derive(ctx, want, SY_HKDF_OUT_MAX, params), 1);
    sy_hkdf_sha256(ikm, sizeof ikm, NULL, 0, info, sizeof info, got, SY_HKDF_OUT_MAX);
    cr_assert_arr_eq(got, want, SY_HKDF_OUT_MAX);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}
