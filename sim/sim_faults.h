/* SPDX-License-Identifier: Apache-2.0 */
/* Faults by chance for a simulated network (sim.h).
 *
 * Two phases: faults, with every check on; then none, and what must come back has to come back.
 *
 *     sy_sim_disturb(net, SY_SIM_FAULTS_ALL, 2 * SY_SEC, 3 * SY_MIN);
 *     sy_sim_calm(net);
 *     sy_sim_expect(sy_sim_wait(net, all_connected, world, 5 * SY_MIN)); */
#ifndef SWITCHYARD_SIM_FAULTS_H
#define SWITCHYARD_SIM_FAULTS_H

#include <switchyard/sim.h>

SY_BEGIN_DECLS

typedef enum sy_sim_fault {
    SY_SIM_FAULT_CRASH,     /* any kind of crash; the files stay */
    SY_SIM_FAULT_LOSS,      /* a crash, and the files are gone */
    SY_SIM_FAULT_STOP,      /* an orderly stop */
    SY_SIM_FAULT_PARTITION, /* of two nodes */
    SY_SIM_FAULT_BLOCK,     /* one way */
    SY_SIM_FAULT_RESET,     /* in the middle of a frame */
    SY_SIM_FAULT_FLIP,      /* one bit */
    SY_SIM_FAULT_DIAL,      /* one more dial, perhaps crossing another one */
    SY_SIM_FAULT_STOP_PEER, /* a reactor stops a peer */
    SY_SIM_FAULT_PEER_INIT, /* a reactor refuses peers (only with record) */
    SY_SIM_FAULT_ALLOC,     /* allocations fail, one or all from some point on */
    SY_SIM_FAULT_PAUSE,     /* a node does nothing, up to 70 s */
    SY_SIM_FAULT_CONNECT,   /* no descriptors */
    SY_SIM_FAULT_NAME,      /* the node's name, if it has one, does not resolve */
    SY_SIM_FAULT_CLOCK,     /* the wall clock jumps, up to ten days either way */
    SY_SIM_FAULT_DISK,      /* the disk is full */
    SY_SIM_FAULT_COUNT
} sy_sim_fault;

#define SY_SIM_FAULTS_ALL ((1u << SY_SIM_FAULT_COUNT) - 1)

/* Kinds of faults for this seed: now and then one kind only, else about half of `from`. */
SY_API unsigned sy_sim_draw_faults(sy_sim_net *net, unsigned from);

/* One fault of that kind somewhere. */
SY_API void sy_sim_inject(sy_sim_net *net, sy_sim_fault fault);

/* Something that was broken somewhere is whole again. */
SY_API void sy_sim_repair(sy_sim_net *net);

/* Injects faults of these kinds (bits), and repairs, with up to gap_max between two. */
SY_API void sy_sim_disturb(sy_sim_net *net, unsigned kinds, sy_duration gap_max,
                           sy_duration duration);

/* Ends every fault, waits until pauses and stops are over, starts what does not run. */
SY_API void sy_sim_calm(sy_sim_net *net);

/* "crash", "loss" ...; static. */
SY_API const char *sy_sim_fault_name(sy_sim_fault fault);

SY_END_DECLS

#endif
