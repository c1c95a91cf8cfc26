/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC AB-01 AB-02 AB-03 AB-04 AB-05 AB-06 */
#include "p2p/abci.h"

#include <string.h>

#include <switchyard/assert.h>

/* What a dialect is. */
typedef struct dialect_row {
    const char *name;
    bool zigzag; /* the length is written as a signed number: twice as large */
    uint8_t echo;
    uint8_t flush;
    uint8_t query;
} dialect_row;

static const dialect_row rows[SY_ABCI_DIALECT_COUNT] = {
    [SY_ABCI_0_22] = {"0.22", true, 2, 3, 7},
    [SY_ABCI_0_34] = {"0.34", true, 1, 2, 6},
    [SY_ABCI_0_38] = {"0.38", false, 1, 2, 6},
};

static const dialect_row *row_of(sy_abci_dialect dialect) {
    SY_ASSERT((size_t)dialect < SY_ABCI_DIALECT_COUNT);
    return &rows[dialect];
}

const char *sy_abci_dialect_name(sy_abci_dialect dialect) {
    return row_of(dialect)->name;
}

/* ---- Requests ----------------------------------------------------------------------------------
 */

/* A message with one member: the request of that number. */
static void write_request(sy_wr *wr, const dialect_row *row, uint8_t number, const uint8_t *body,
                          size_t len) {
    const uint64_t total = 1 + sy_uvarint_size(len) + len;
    sy_wr_uvarint(wr, row->zigzag ? total * 2 : total);
    sy_wr_field_bytes_always(wr, number, body, len);
}

void sy_abci_write_echo(sy_wr *wr, sy_abci_dialect dialect) {
    const dialect_row *row = row_of(dialect);
    uint8_t body[2 + sizeof SY_ABCI_ECHO_TEXT];
    sy_wr inner;
    size_t len = 0;
    sy_wr_init(&inner, body, sizeof body);
    sy_wr_field_bytes(&inner, 1, SY_ABCI_ECHO_TEXT, strlen(SY_ABCI_ECHO_TEXT));
    const sy_err err = sy_wr_finish(&inner, &len);
    SY_ASSERT(err == SY_OK);
    write_request(wr, row, row->echo, body, len);
}

void sy_abci_write_flush(sy_wr *wr, sy_abci_dialect dialect) {
    const dialect_row *row = row_of(dialect);
    write_request(wr, row, row->flush, NULL, 0);
}

void sy_abci_write_query(sy_wr *wr, sy_abci_dialect dialect, const char *path, size_t path_len) {
    const dialect_row *row = row_of(dialect);
    uint8_t body[SY_ABCI_PATH_MAX + 2];
    sy_wr inner;
    size_t len = 0;
    SY_ASSERT(path_len <= SY_ABCI_PATH_MAX);
    sy_wr_init(&inner, body, sizeof body);
    sy_wr_field_bytes(&inner, 2, path, path_len);
    const sy_err err = sy_wr_finish(&inner, &len);
    SY_ASSERT(err == SY_OK);
    write_request(wr, row, row->query, body, len);
}

/* ---- Answers -----------------------------------------------------------------------------------
 */

/* A field of text: the bytes, or the reader fails. */
static sy_bytes text_of(sy_rd *rd, const sy_field *field) {
    if (field->type != SY_WIRE_BYTES) {
        (void)sy_rd_fail(rd, SY_ERR_FIELD_TYPE);
        return (sy_bytes){NULL, 0};
    }
    return field->bytes;
}

/* The text of an Echo or an Exception. */
static sy_err read_text(sy_bytes body, sy_bytes *ret_text) {
    sy_rd rd;
    sy_field field;
    sy_bytes text = {NULL, 0};
    sy_rd_init(&rd, body.data, body.len);
    while (sy_rd_field(&rd, &field)) {
        if (field.number == 1) {
            text = text_of(&rd, &field);
        }
    }
    *ret_text = text;
    return rd.err;
}

static void read_code(sy_rd *rd, const sy_field *field, bool *seen, uint32_t *ret_code) {
    if (field->type != SY_WIRE_VARINT) {
        (void)sy_rd_fail(rd, SY_ERR_FIELD_TYPE);
    } else if (field->varint > UINT32_MAX) {
        (void)sy_rd_fail(rd, SY_ERR_FIELD_RANGE); /* cut to 32 bits a refusal could become 0 */
    } else if (*seen) {
        (void)sy_rd_fail(rd, SY_ERR_FIELD_REPEATED);
    } else {
        *seen = true;
        *ret_code = (uint32_t)field->varint;
    }
}

static sy_err read_query(sy_bytes body, sy_abci_answer *answer) {
    sy_rd rd;
    sy_field field;
    sy_bytes log = {NULL, 0};
    sy_bytes info = {NULL, 0};
    bool has_code = false;
    sy_rd_init(&rd, body.data, body.len);
    while (sy_rd_field(&rd, &field)) {
        switch (field.number) {
        case 1:
            read_code(&rd, &field, &has_code, &answer->code);
            break;
        case 3:
            log = text_of(&rd, &field);
            break;
        case 4:
            info = text_of(&rd, &field);
            break;
        default:
            break; /* index, key, value, proof, height, codespace: not for a filter */
        }
    }
    answer->text = log.len > 0 ? log : info;
    return rd.err;
}

static sy_abci_kind kind_of(uint32_t number) {
    switch (number) {
    case 1:
        return SY_ABCI_EXCEPTION;
    case 2:
        return SY_ABCI_ECHO;
    case 3:
        return SY_ABCI_FLUSH;
    case 7:
        return SY_ABCI_QUERY;
    default:
        return SY_ABCI_OTHER;
    }
}

static sy_err read_body(sy_abci_answer *answer, sy_bytes body) {
    switch (answer->kind) {
    case SY_ABCI_EXCEPTION:
    case SY_ABCI_ECHO:
        return read_text(body, &answer->text);
    case SY_ABCI_QUERY:
        return read_query(body, answer);
    case SY_ABCI_FLUSH:
    case SY_ABCI_OTHER:
        return SY_OK;
    }
    SY_UNREACHABLE();
}

static sy_err read_message(const uint8_t *data, size_t len, sy_abci_answer *ret_answer) {
    sy_rd rd;
    sy_field field;
    sy_abci_answer answer = {.kind = SY_ABCI_OTHER};
    bool has_member = false;
    sy_rd_init(&rd, data, len);
    while (sy_rd_field(&rd, &field)) {
        if (has_member) {
            return sy_rd_fail(&rd, SY_ERR_FIELD_REPEATED);
        }
        has_member = true;
        answer.kind = kind_of(field.number);
        const sy_bytes body = text_of(&rd, &field);
        const sy_err err = rd.err == SY_OK ? read_body(&answer, body) : rd.err;
        if (err != SY_OK) {
            return err;
        }
    }
    if (rd.err == SY_OK) {
        *ret_answer = answer;
    }
    return rd.err;
}

sy_err sy_abci_read(sy_abci_dialect dialect, const uint8_t *data, size_t len,
                    sy_abci_answer *ret_answer, size_t *ret_used) {
    uint64_t body = 0;
    size_t prefix = 0;
    bool minimal = false;
    switch (sy_uvarint_peek(data, len, &body, &prefix, &minimal)) {
    case SY_PREFIX_MORE:
        *ret_used = 0;
        return SY_OK;
    case SY_PREFIX_BAD:
        return SY_ERR_VARINT;
    case SY_PREFIX_DONE:
        break;
    }
    if (row_of(dialect)->zigzag) {
        if ((body & 1) != 0) {
            return SY_ERR_FIELD_LENGTH; /* a negative number */
        }
        body /= 2;
    }
    if (body > SY_ABCI_RESPONSE_MAX) {
        return SY_ERR_FIELD_LENGTH;
    }
    if (body > len - prefix) {
        *ret_used = 0;
        return SY_OK;
    }
    const sy_err err = read_message(data + prefix, (size_t)body, ret_answer);
    if (err == SY_OK) {
        *ret_used = prefix + (size_t)body;
    }
    return err;
}
