/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a node: they outlive its process, until they are lost. */
#include "sim/sim_internal.h"

#include <string.h>

static sy_sim_file *find(const sy_sim_node *node, const char *name) {
    for (sy_sim_file *file = node->files; file != NULL; file = file->next) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

sy_err sy_sim_file_write(sy_sim_node *node, const char *name, const void *data, size_t len) {
    sy_sim_trace(node->net, node, "save file=%s len=%zu full=%d", name, len, node->disk_full);
    if (node->disk_full || node->dropping) { /* a crash writes nothing any more */
        return SY_ERR_SYSTEM;
    }
    sy_sim_file *file = find(node, name);
    if (file == NULL) {
        file = sy_sim_alloc(sizeof *file);
        if (strlen(name) >= sizeof file->name) {
            sy_sim_fail("%s is too long for a name of a file", name);
        }
        memcpy(file->name, name, strlen(name) + 1);
        file->next = node->files;
        node->files = file;
    }
    char *copy = sy_sim_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    sy_mem_release(sy_mem_libc(), file->data);
    file->data = copy;
    file->len = len;
    return SY_OK;
}

const char *sy_sim_file_read(const sy_sim_node *node, const char *name, size_t *ret_len) {
    const sy_sim_file *file = find(node, name);
    if (file == NULL) {
        return NULL;
    }
    *ret_len = file->len;
    return file->data;
}

void sy_sim_files_del(sy_sim_node *node) {
    const sy_mem *libc = sy_mem_libc();
    while (node->files != NULL) {
        sy_sim_file *file = node->files;
        node->files = file->next;
        sy_mem_release(libc, file->data);
        sy_mem_release(libc, file);
    }
}

void sy_sim_lose_files(sy_sim_node *node) {
    sy_sim_trace(node->net, node, "files lost");
    sy_sim_files_del(node);
}

void sy_sim_set_disk_full(sy_sim_node *node, bool full) {
    sy_sim_trace(node->net, node, "disk full=%d", full);
    node->disk_full = full;
}
