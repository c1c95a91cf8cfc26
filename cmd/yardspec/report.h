/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found, as text, JSON and JUnit XML. */
#ifndef YARDSPEC_REPORT_H
#define YARDSPEC_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/yardspec/cases.h"

typedef struct spec_result {
    const spec_case *one;
    spec_verdict verdict;
    char *detail; /* owned */
    double ms;
    uint16_t ports[SPEC_PEERS_MAX];
    size_t port_count;
    size_t dials;                        /* of the target, until the case ended */
    spec_trace *traces[SPEC_TRACES_MAX]; /* owned */
    size_t trace_count;
} spec_result;

typedef struct spec_report {
    spec_result *results;
    size_t count;
    size_t totals[SPEC_VERDICTS];
    bool quiet;   /* no text while it runs */
    bool verbose; /* evidence with the text */
} spec_report;

/* Takes the verdict and the evidence of run; prints a line unless quiet. */
void spec_report_add(spec_report *report, spec_run *run, const spec_case *one, double ms);
void spec_report_print_totals(const spec_report *report);
void spec_report_print_json(const spec_report *report, const spec_run *run);

/* false: the file cannot be written. */
bool spec_report_write_junit(const spec_report *report, const spec_run *run, const char *path);
void spec_report_fini(spec_report *report);

/* The list of all cases that apply to the profiles. */
void spec_list(unsigned profiles, const spec_settings *settings, bool json);

#endif
