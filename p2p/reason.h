/* SPDX-License-Identifier: Apache-2.0 */
/* Why a connection ended (or a dial failed): the stage it had reached, the code, whose fault it
 * was, and a text.  Every end has exactly one; it is counted, logged once and kept in the history.
 */
#ifndef SWITCHYARD_REASON_H
#define SWITCHYARD_REASON_H

#include <stddef.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

/* How far the connection had come. */
typedef enum sy_stage {
    SY_STAGE_RESOLVE,   /* looking up the name to dial */
    SY_STAGE_CONNECT,   /* TCP connect, or waiting for the first byte after accept */
    SY_STAGE_HANDSHAKE, /* secret connection */
    SY_STAGE_IDENTITY,  /* identity proven, being checked */
    SY_STAGE_NODE_INFO, /* version handshake */
    SY_STAGE_ADMISSION, /* duplicates, crossed dials, final class */
    SY_STAGE_OPEN,      /* a peer */
} sy_stage;

#define SY_STAGE_COUNT 7

typedef enum sy_fault {
    SY_FAULT_NONE,   /* orderly end, network */
    SY_FAULT_LOCAL,  /* our limits, our configuration */
    SY_FAULT_REMOTE, /* the remote broke a rule */
} sy_fault;

typedef struct sy_reason {
    sy_stage stage;
    sy_err code;
    sy_fault fault;
    sy_detail detail; /* may be empty */
} sy_reason;

/* Fault follows from the class of the code. */
SY_API sy_reason sy_reason_make(sy_stage stage, sy_err code, const sy_detail *detail);

/* "resolve", "connect", "handshake", "identity", "node_info", "admission", "open"; static. */
SY_API const char *sy_stage_name(sy_stage stage);
SY_API const char *sy_fault_name(sy_fault fault);

/* The clauses of docs/spec that the code enforces under the profile of this name, separated by a
 * space ("STS-26", "AD-05 AD-06"), "" when none; static.  profile "" or NULL while it is not known:
 * the clauses that do not depend on it. */
SY_API const char *sy_reason_clause(sy_err code, const char *profile);

SY_END_DECLS

#endif
