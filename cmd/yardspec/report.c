/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[SPEC_VERDICTS] = {"undecided", "pass", "fail", "skip",
                                                         "deviation"};

static void print_result(const spec_report *report, const spec_result *result) {
    const spec_case *one = result->one;
    (void)printf("%-9s %-7s %-24s %s\n", verdict_names[result->verdict], one->clause, one->id,
                 one->row->title);
    if (result->verdict != SPEC_PASS || report->verbose) {
        (void)printf("          %s\n", result->detail);
    }
    for (size_t i = 0; report->verbose && i < result->trace_count; i++) {
        spec_trace_print(result->traces[i], "          ", stdout);
    }
    (void)fflush(stdout);
}

void spec_report_add(spec_report *report, spec_run *run, const spec_case *one, double ms) {
    report->results = realloc(report->results, (report->count + 1) * sizeof *report->results);
    char *detail = strdup(run->detail);
    if (report->results == NULL || detail == NULL) {
        spec_die("out of memory");
    }
    spec_result *result = &report->results[report->count++];
    *result = (spec_result){.one = one, .verdict = run->verdict, .detail = detail, .ms = ms};
    result->port_count = run->port_count;
    memcpy(result->ports, run->ports, sizeof result->ports);
    result->dials = run->case_dials;
    result->trace_count = run->trace_count;
    memcpy(result->traces, run->traces, sizeof result->traces);
    run->trace_count = 0;
    report->totals[run->verdict]++;
    if (!report->quiet) {
        print_result(report, result);
    }
}

void spec_report_fini(spec_report *report) {
    for (size_t i = 0; i < report->count; i++) {
        free(report->results[i].detail);
        for (size_t k = 0; k < report->results[i].trace_count; k++) {
            spec_trace_del(report->results[i].traces[k]);
        }
    }
    free(report->results);
    *report = (spec_report){0};
}

void spec_report_print_totals(const spec_report *report) {
    (void)printf("%zu passed, %zu failed, %zu deviations, %zu skipped\n", report->totals[SPEC_PASS],
                 report->totals[SPEC_FAIL], report->totals[SPEC_DEVIATION],
                 report->totals[SPEC_SKIP]);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Text from the target may hold any bytes; details have printable ones only. */
static json_t *text_json(const char *text) {
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char clean[SPEC_DETAIL_CAP];
    size_t len = 0;
    for (; text[len] != '\0' && len + 1 < sizeof clean; len++) {
        clean[len] = '?';
        if (text[len] >= 0x20 && text[len] < 0x7f) {
            clean[len] = text[len];
        }
    }
    clean[len] = '\0';
    return json_string(clean);
}

static void print_json(json_t *value) {
    (void)json_dumpf(value, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    (void)printf("\n");
    json_decref(value);
}

/* Our ports, by which the target's log names our connections. */
static json_t *ports_json(const spec_result *result) {
    json_t *ports = json_array();
    for (size_t i = 0; i < result->port_count; i++) {
        (void)json_array_append_new(ports, json_integer(result->ports[i]));
    }
    return ports;
}

static const char *expect_name(const spec_row *row) {
    return row->run != NULL ? "function" : row->expect == SPEC_REFUSE ? "refuse" : "accept";
}

static json_t *evidence_json(const spec_result *result) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->trace_count; i++) {
        (void)json_array_append_new(list, spec_trace_json(result->traces[i]));
    }
    return list;
}

static json_t *case_json(const spec_case *one) {
    json_t *entry = json_object();
    (void)json_object_set_new(entry, "id", json_string(one->id));
    (void)json_object_set_new(entry, "clause", json_string(one->clause));
    (void)json_object_set_new(entry, "group", json_string(one->group->name));
    (void)json_object_set_new(entry, "title", json_string(one->row->title));
    return entry;
}

static json_t *result_json(const spec_result *result) {
    json_t *entry = case_json(result->one);
    (void)json_object_set_new(entry, "verdict", json_string(verdict_names[result->verdict]));
    (void)json_object_set_new(entry, "detail", text_json(result->detail));
    (void)json_object_set_new(entry, "ms", json_real(result->ms));
    (void)json_object_set_new(entry, "expected", json_string(expect_name(result->one->row)));
    (void)json_object_set_new(entry, "ports", ports_json(result));
    (void)json_object_set_new(entry, "dials", json_integer((json_int_t)result->dials));
    (void)json_object_set_new(entry, "evidence", evidence_json(result));
    return entry;
}

void spec_report_print_json(const spec_report *report, const spec_run *run) {
    json_t *cases = json_array();
    json_t *totals = json_object();
    for (size_t i = 0; i < report->count; i++) {
        (void)json_array_append_new(cases, result_json(&report->results[i]));
    }
    for (spec_verdict v = SPEC_PASS; v < SPEC_VERDICTS; v++) {
        (void)json_object_set_new(totals, verdict_names[v],
                                  json_integer((json_int_t)report->totals[v]));
    }
    json_t *document = json_object();
    (void)json_object_set_new(document, "target", json_string(run->target.text));
    (void)json_object_set_new(document, "profile",
                              json_string(spec_profile_name(run->target.profile)));
    (void)json_object_set_new(document, "dialed_by",
                              json_string(run->listen_fd >= 0 ? "target" : "yardspec"));
    (void)json_object_set_new(document, "version", text_json(run->target.version));
    (void)json_object_set_new(document, "network", text_json(run->target.network));
    (void)json_object_set_new(document, "cases", cases);
    (void)json_object_set_new(document, "totals", totals);
    print_json(document);
}

/* Who dials in a case: the roles of yardspec. */
static json_t *roles_json(const spec_row *row) {
    json_t *roles = json_array();
    if ((row->flags & SPEC_F_LISTEN) == 0) {
        (void)json_array_append_new(roles, json_string("dial"));
    }
    if ((row->flags & SPEC_F_DIAL) == 0) {
        (void)json_array_append_new(roles, json_string("listen"));
    }
    return roles;
}

static json_t *list_json(const spec_case *one, const spec_settings *settings) {
    json_t *entry = case_json(one);
    json_t *names = json_array();
    for (unsigned p = SPEC_TENDERMINT; p <= SPEC_COMETBFT; p++) {
        if ((one->profiles & p) != 0) {
            (void)json_array_append_new(names, json_string(spec_profile_name(p)));
        }
    }
    (void)json_object_set_new(entry, "profiles", names);
    (void)json_object_set_new(entry, "roles", roles_json(one->row));
    (void)json_object_set_new(entry, "expected", json_string(expect_name(one->row)));
    (void)json_object_set_new(entry, "slow", json_boolean(spec_row_is_slow(settings, one->row)));
    return entry;
}

void spec_list(unsigned profiles, const spec_settings *settings, bool json) {
    size_t count = 0;
    const spec_case *cases = spec_cases(&count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const spec_case *one = &cases[i];
        if ((one->profiles & profiles) == 0) {
            continue;
        }
        if (!json) {
            (void)printf("%-11s %-7s %-24s %s\n", one->group->name, one->clause, one->id,
                         one->row->title);
        }
        (void)json_array_append_new(list, list_json(one, settings));
    }
    if (json) {
        print_json(list);
    } else {
        json_decref(list);
    }
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

static void put_escaped(FILE *file, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '&':
            (void)fputs("&amp;", file);
            break;
        case '"':
            (void)fputs("&quot;", file);
            break;
        default:
            (void)fputc(*text >= 0x20 && *text < 0x7f ? *text : '?', file);
        }
    }
}

static void put_attribute(FILE *file, const char *name, const char *text) {
    (void)fprintf(file, " %s=\"", name);
    put_escaped(file, text);
    (void)fputc('"', file);
}

static void put_case(FILE *file, const spec_result *result) {
    char name[160];
    (void)snprintf(name, sizeof name, "%s %s: %s", result->one->clause, result->one->id,
                   result->one->row->title);
    (void)fprintf(file, "  <testcase time=\"%.3f\"", result->ms / 1000);
    put_attribute(file, "classname", result->one->group->name);
    put_attribute(file, "name", name);
    (void)fputs(">", file);
    if (result->verdict == SPEC_FAIL) {
        (void)fputs("<failure", file);
        put_attribute(file, "message", result->detail);
        (void)fputs("/>", file);
    } else if (result->verdict != SPEC_PASS) {
        (void)fputs("<skipped", file);
        put_attribute(file, "message", result->detail);
        (void)fputs("/>", file);
    }
    if (result->verdict != SPEC_PASS && result->trace_count > 0) {
        (void)fputs("\n<system-out>", file); /* the evidence is letters, digits and commas */
        for (size_t i = 0; i < result->trace_count; i++) {
            spec_trace_print(result->traces[i], "", file);
        }
        (void)fputs("</system-out>", file);
    }
    (void)fputs("</testcase>\n", file);
}

bool spec_report_write_junit(const spec_report *report, const spec_run *run, const char *path) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"yardspec\"", file);
    put_attribute(file, "hostname", run->target.text);
    (void)fprintf(file, " tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", report->count,
                  report->totals[SPEC_FAIL],
                  report->totals[SPEC_SKIP] + report->totals[SPEC_DEVIATION]);
    for (size_t i = 0; i < report->count; i++) {
        put_case(file, &report->results[i]);
    }
    (void)fputs("</testsuite>\n", file);
    const bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}
