/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_REACTOR_H
#define COUNT_REACTOR_H

#include <switchyard/reactor.h>

#define COUNT_NETWORK "count-example"
#define COUNT_CHANNEL 0x70

extern const sy_reactor_ops count_reactor;

#endif
