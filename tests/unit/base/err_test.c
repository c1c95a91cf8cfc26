/* SPDX-License-Identifier: Apache-2.0 */
/* The error table against itself: every row unique in value, name and text, inside the hundred of
 * its class, and found by all three look-ups. */
#include <switchyard/err.h>

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

typedef struct row {
    const char *name;
    int value;
    sy_err_class class_of;
    const char *text;
} row;

static const row rows[] = {
#define SY_ERR(name, value, class, text) {#name, (value), SY_ERR_CLASS_##class, text},
#include <switchyard/err.def>
#undef SY_ERR
};
static const size_t row_count = sizeof rows / sizeof rows[0];

Test(err, lookups_agree_with_the_table) {
    for (size_t i = 0; i < row_count; i++) {
        const row *r = &rows[i];

        cr_expect_str_eq(sy_err_name((sy_err)r->value), r->name, "row %s", r->name);
        cr_expect_str_eq(sy_strerror((sy_err)r->value), r->text, "row %s", r->name);
        cr_expect_eq(sy_err_class_of((sy_err)r->value), r->class_of, "row %s", r->name);
    }
}

Test(err, rows_are_unique) {
    for (size_t i = 0; i < row_count; i++) {
        for (size_t k = i + 1; k < row_count; k++) {
            cr_expect_neq(rows[i].value, rows[k].value, "%s and %s", rows[i].name, rows[k].name);
            cr_expect_str_neq(rows[i].name, rows[k].name, "rows %zu and %zu", i, k);
            cr_expect_str_neq(rows[i].text, rows[k].text, "%s and %s", rows[i].name, rows[k].name);
        }
    }
}

/* SPEC-TEST ER-01 */
Test(err, values_lie_in_the_hundred_of_their_class) {
    int counts[6] = {0};
    for (size_t i = 0; i < row_count; i++) {
        cr_assert_geq(rows[i].value, -599, "row %s", rows[i].name);
        cr_assert_leq(rows[i].value, -100, "row %s", rows[i].name);

        cr_expect_eq(-rows[i].value / 100, (int)rows[i].class_of, "row %s", rows[i].name);
        counts[-rows[i].value / 100]++;
    }
    for (int class_of = SY_ERR_CLASS_USAGE; class_of <= SY_ERR_CLASS_CLOSED; class_of++) {
        cr_expect_gt(counts[class_of], 0, "class %d has no error", class_of);
    }
}

Test(err, texts_are_short_printable_fragments) {
    for (size_t i = 0; i < row_count; i++) {
        const char *text = rows[i].text;
        const size_t len = strlen(text);
        cr_assert_gt(len, 3, "row %s", rows[i].name);
        cr_expect_leq(len, 80, "row %s", rows[i].name);
        cr_expect_neq(text[len - 1], '.', "row %s", rows[i].name);
        for (size_t k = 0; k < len; k++) {
            cr_expect(isprint((unsigned char)text[k]), "row %s", rows[i].name);
        }
    }
}

Test(err, values_outside_the_table) {
    static const int unknown[] = {1, 42, -1, -99, -199, -299, -600, -1000, 2147483647};

    cr_expect_str_eq(sy_strerror(SY_OK), "ok");
    cr_expect_str_eq(sy_err_name(SY_OK), "OK");
    cr_expect_eq(sy_err_class_of(SY_OK), SY_ERR_CLASS_OK);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        cr_expect_str_eq(sy_strerror((sy_err)unknown[i]), "unknown error", "%d", unknown[i]);
        cr_expect_str_eq(sy_err_name((sy_err)unknown[i]), "UNKNOWN", "%d", unknown[i]);
        cr_expect_eq(sy_err_class_of((sy_err)unknown[i]), SY_ERR_CLASS_USAGE, "%d", unknown[i]);
    }
}

Test(err, class_names) {
    static const struct {
        sy_err_class class_of;
        const char *name;
    } names[] = {
        {SY_ERR_CLASS_OK, "ok"},         {SY_ERR_CLASS_USAGE, "usage"},
        {SY_ERR_CLASS_LOCAL, "local"},   {SY_ERR_CLASS_PEER, "peer"},
        {SY_ERR_CLASS_CRYPTO, "crypto"}, {SY_ERR_CLASS_CLOSED, "closed"},
        {(sy_err_class)7, "unknown"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_expect_str_eq(sy_err_class_name(names[i].class_of), names[i].name);
    }
}
