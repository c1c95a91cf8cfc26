/* SPDX-License-Identifier: Apache-2.0 */
/* What a crawl has found: every node, and what can be counted of them. */
#include "cmd/yard/crawl.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/yard/util.h"

#define SHOWN 10 /* rows of each table of the summary */

/* ---- One node -------------------------------------------------------------------------------- */

static bool is_reached(const yard_crawl_node *node) {
    return node->info != NULL;
}

static const char *text_of(const yard_crawl_node *node, const char *name) {
    const char *text = json_string_value(json_object_get(node->info, name));
    return text == NULL ? "" : text;
}

static json_int_t version_of(const yard_crawl_node *node, const char *name) {
    return json_integer_value(
        json_object_get(json_object_get(node->info, "protocol_version"), name));
}

/* Why it was not accepted, or "". */
static const char *error_of(const yard_crawl_node *node) {
    if (node->state != YARD_CRAWL_DONE && !node->has_reason) {
        return "NOT_VISITED";
    }
    return node->has_reason && !node->answered ? sy_err_name(node->reason.code) : "";
}

static json_t *describe(const yard_crawl_node *node) {
    char id[SY_NODE_ID_TEXT_CAP];
    char addr[SY_ENDPOINT_TEXT_CAP];
    json_t *object = json_object();
    sy_node_id_format(&node->id, id);
    (void)sy_endpoint_format(&node->endpoints[node->endpoint], addr);
    (void)json_object_set_new(object, "id", json_string(id));
    (void)json_object_set_new(object, "addr", json_string(addr));
    (void)json_object_set_new(object, "reached", json_boolean(is_reached(node)));
    (void)json_object_set_new(object, "accepted", json_boolean(node->accepted));
    (void)json_object_set_new(object, "told",
                              node->answered ? json_integer((json_int_t)node->told) : json_null());
    json_t *profiles = json_array();
    for (size_t i = 0; i < node->profile_count; i++) {
        (void)json_array_append_new(profiles, json_string(node->profiles[i]));
    }
    (void)json_object_set_new(object, "profiles", profiles);
    (void)json_object_set_new(object, "node_info",
                              is_reached(node) ? json_deep_copy(node->info) : json_null());
    if (error_of(node)[0] == '\0') {
        (void)json_object_set_new(object, "error", json_null());
        return object;
    }
    json_t *error = json_object();
    (void)json_object_set_new(error, "stage",
                              node->has_reason ? json_string(sy_stage_name(node->reason.stage))
                                               : json_null());
    (void)json_object_set_new(error, "code", json_string(error_of(node)));
    (void)json_object_set_new(error, "text",
                              json_string(node->has_reason ? node->reason.detail.text : ""));
    (void)json_object_set_new(object, "error", error);
    return object;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void count_one(json_t *table, const char *key) {
    const json_int_t before = json_integer_value(json_object_get(table, key));
    (void)json_object_set_new(table, key, json_integer(before + 1));
}

/* "1.2.0.0/16" or "[2001:db8::]/32": what is likely under one control. */
static void count_prefix(json_t *table, const sy_endpoint *endpoint) {
    sy_endpoint prefix = *endpoint;
    char text[SY_ENDPOINT_TEXT_CAP];
    const bool v4 = sy_endpoint_is_v4(endpoint);
    prefix.port = 0;
    memset(prefix.ip + (v4 ? 14 : 4), 0, v4 ? 2 : 12);
    (void)sy_endpoint_format(&prefix, text);
    *strrchr(text, ':') = '\0';
    char *key = yard_format("%s/%d", text, v4 ? 16 : 32);
    count_one(table, key);
    free(key);
}

static json_t *summarize(const yard_crawl *crawl) {
    json_t *summary = json_object();
    json_t *versions = json_object();
    json_t *networks = json_object();
    json_t *profiles = json_object();
    json_t *prefixes = json_object();
    json_t *errors = json_object();
    json_int_t reached = 0;
    json_int_t accepted = 0;
    json_int_t answered = 0;
    for (size_t i = 0; i < crawl->count; i++) {
        const yard_crawl_node *node = &crawl->nodes[i];
        accepted += node->accepted;
        answered += node->answered;
        if (is_reached(node)) {
            reached++;
            count_one(versions, text_of(node, "version"));
            count_one(networks, text_of(node, "network"));
            for (size_t k = 0; k < node->profile_count; k++) {
                count_one(profiles, node->profiles[k]);
            }
            count_prefix(prefixes, &node->endpoints[node->endpoint]);
        }
        if (error_of(node)[0] != '\0') {
            count_one(errors, error_of(node));
        }
    }
    (void)json_object_set_new(summary, "known", json_integer((json_int_t)crawl->count));
    (void)json_object_set_new(summary, "reached", json_integer(reached));
    (void)json_object_set_new(summary, "accepted", json_integer(accepted));
    (void)json_object_set_new(summary, "answered", json_integer(answered));
    (void)json_object_set_new(summary, "left_out", json_integer((json_int_t)crawl->dropped));
    (void)json_object_set_new(summary, "complete", json_boolean(!crawl->cut_short));
    (void)json_object_set_new(summary, "networks", networks);
    (void)json_object_set_new(summary, "versions", versions);
    (void)json_object_set_new(summary, "profiles", profiles);
    (void)json_object_set_new(summary, "prefixes", prefixes);
    (void)json_object_set_new(summary, "errors", errors);
    return summary;
}

/* ---- Printing -------------------------------------------------------------------------------- */

bool yard_crawl_print_json(const yard_crawl *crawl, FILE *out) {
    json_t *document = json_object();
    json_t *nodes = json_array();
    for (size_t i = 0; i < crawl->count; i++) {
        (void)json_array_append_new(nodes, describe(&crawl->nodes[i]));
    }
    (void)json_object_set_new(document, "network", json_string(crawl->network));
    (void)json_object_set_new(document, "summary", summarize(crawl));
    (void)json_object_set_new(document, "nodes", nodes);
    const bool ok = json_dumpf(document, out, JSON_INDENT(2)) == 0 && fprintf(out, "\n") > 0;
    json_decref(document);
    return ok;
}

/* A field in quotes; a spreadsheet must not take a remote's word for a formula. */
static void print_field(FILE *out, const char *text, char behind) {
    (void)fputc('"', out);
    if (text[0] != '\0' && strchr("=+-@", text[0]) != NULL) {
        (void)fputc('\'', out);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(*c, out);
    }
    (void)fputc('"', out);
    (void)fputc(behind, out);
}

bool yard_crawl_print_csv(const yard_crawl *crawl, FILE *out) {
    (void)fprintf(out, "id,addr,reached,accepted,told,profiles,network,version,p2p,block,app,"
                       "moniker,listen_addr,channels,error\r\n");
    for (size_t i = 0; i < crawl->count; i++) {
        const yard_crawl_node *node = &crawl->nodes[i];
        char id[SY_NODE_ID_TEXT_CAP];
        char addr[SY_ENDPOINT_TEXT_CAP];
        sy_node_id_format(&node->id, id);
        (void)sy_endpoint_format(&node->endpoints[node->endpoint], addr);
        (void)fprintf(out, "%s,%s,%d,%d,", id, addr, is_reached(node), node->accepted);
        if (node->answered) {
            (void)fprintf(out, "%zu", node->told);
        }
        (void)fputc(',', out);
        for (size_t k = 0; k < node->profile_count; k++) {
            (void)fprintf(out, k == 0 ? "%s" : " %s", node->profiles[k]);
        }
        (void)fputc(',', out);
        print_field(out, text_of(node, "network"), ',');
        print_field(out, text_of(node, "version"), ',');
        if (is_reached(node)) {
            (void)fprintf(out, "%lld,%lld,%lld,", (long long)version_of(node, "p2p"),
                          (long long)version_of(node, "block"), (long long)version_of(node, "app"));
        } else {
            (void)fprintf(out, ",,,");
        }
        print_field(out, text_of(node, "moniker"), ',');
        print_field(out, text_of(node, "listen_addr"), ',');
        (void)fprintf(out, "%s,%s\r\n", text_of(node, "channels"), error_of(node));
    }
    return ferror(out) == 0;
}

typedef struct row {
    const char *key;
    json_int_t count;
} row;

static int by_count(const void *a, const void *b) {
    const row *x = a;
    const row *y = b;
    if (x->count != y->count) {
        return x->count < y->count ? 1 : -1;
    }
    return strcmp(x->key, y->key);
}

static void print_table(const json_t *summary, const char *name, const char *title, FILE *out) {
    json_t *table = json_object_get(summary, name);
    const size_t count = json_object_size(table);
    row *rows = yard_alloc(count + 1, sizeof *rows);
    const char *key;
    json_t *value;
    size_t at = 0;
    json_object_foreach(table, key, value) {
        rows[at++] = (row){key, json_integer_value(value)};
    }
    qsort(rows, count, sizeof *rows, by_count);
    (void)fprintf(out, "%s: %zu\n", title, count);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        (void)fprintf(out, "  %7lld  %s\n", (long long)rows[i].count,
                      rows[i].key[0] == '\0' ? "(none)" : rows[i].key);
    }
    if (count > SHOWN) {
        (void)fprintf(out, "  ... and %zu more\n", count - SHOWN);
    }
    free(rows);
}

bool yard_crawl_print_summary(const yard_crawl *crawl, FILE *out) {
    json_t *summary = summarize(crawl);
    const char *const numbers[] = {"known", "reached", "accepted", "answered"};
    (void)fprintf(out, "network \"%s\"%s:", crawl->network, crawl->cut_short ? " (cut short)" : "");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)fprintf(out, " %s=%lld", numbers[i],
                      (long long)json_integer_value(json_object_get(summary, numbers[i])));
    }
    (void)fprintf(out, "\n");
    print_table(summary, "versions", "versions", out);
    print_table(summary, "profiles", "profiles", out);
    print_table(summary, "prefixes", "prefixes", out);
    print_table(summary, "errors", "errors", out);
    json_decref(summary);
    return ferror(out) == 0;
}
