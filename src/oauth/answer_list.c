/*
 * answer_list.c: lists: page grants, businesses, and what a person has granted.
 *
 * paging.next is a whole URL with the access token in it.  It is never looked at: that it is there says that the list
 * goes on, and where is said by the cursor.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "reading.h"

/* The list, or NULL with the verdict set. */
static const json_t *find_list(const json_t *root, size_t maximum, struct oauth_verdict *verdict)
{
    const json_t *data = json_object_get(root, "data");
    if (!json_is_array(data))
        (void)answer_wrong(verdict, "the answer has no list");
    else if (json_array_size(data) > maximum)
        (void)answer_wrong(verdict, "the list is longer than was asked for");
    else
        return data;
    return NULL;
}

/* ---- pages and businesses ---- */

/* "A,B,C"; what is no list of words is left out, since nothing hangs on it. */
static void read_tasks(const json_t *page, char *ret_tasks, size_t room)
{
    const json_t *tasks = json_object_get(page, "tasks");
    size_t used = 0, index;
    const json_t *task;
    char word[FACT_TEXT_MAX];
    json_array_foreach (tasks, index, task) {
        if (!value_word(task, LETTERS "_", SECRET_LIKE, word) || used + strlen(word) + 2 > room)
            continue;
        used += (size_t)snprintf(ret_tasks + used, room - used, "%s%s", used == 0 ? "" : ",", word);
    }
}

static int read_page(const json_t *item, bool has_grants, struct oauth_page *page,
                     const char **ret_problem, struct error *error)
{
    page->has_grant = has_grants && member_given(json_object_get(item, "access_token"));
    *ret_problem = NULL;
    if (!member_given(json_object_get(item, "id")) || !member_id(item, "id", page->id))
        *ret_problem = "an item of the list has no id";
    else if (page->has_grant && member_token(item, "access_token", &page->grant, error) < 0)
        return -1;
    else if (page->has_grant && page->grant == NULL)
        *ret_problem = "the token of a page is not 1 to 16384 printable characters";
    member_label(item, "name", page->label);
    read_tasks(item, page->tasks, sizeof(page->tasks));
    return 0;
}

static const char *read_cursor(const json_t *root, struct oauth_answer *answer)
{
    const json_t *paging = json_object_get(root, "paging");
    if (!member_given(json_object_get(paging, "next")))
        return NULL;
    const json_t *cursors = json_object_get(paging, "cursors");
    if (!member_word(cursors, "after", CURSOR_ALPHABET, sizeof(answer->cursor), answer->cursor) ||
        answer->cursor[0] == '\0')
        return "the list goes on, and no cursor says where";
    return NULL;
}

/* Asked for by nobody; some answers have it. */
static void read_total(const json_t *root, struct oauth_answer *answer)
{
    int64_t total;
    if (json_loose_number(json_object_get(root, "summary"), "total_count", &total) && total >= 0 &&
        total <= TIME_MAX)
        answer->total = total;
}

static int read_pages(const json_t *data, bool has_grants, struct oauth_answer *answer,
                      const char **ret_problem, struct error *error)
{
    size_t count = json_array_size(data);
    *ret_problem = NULL;
    answer->pages = calloc(count == 0 ? 1 : count, sizeof(*answer->pages));
    if (answer->pages == NULL)
        return error_memory(error);
    while (*ret_problem == NULL && answer->page_count < count) {
        const json_t *item = json_array_get(data, answer->page_count);
        if (read_page(item, has_grants, &answer->pages[answer->page_count++], ret_problem, error) <
            0)
            return -1;
    }
    return 0;
}

/* One page that was asked for alone comes without a list around it. */
static json_t *as_list(const json_t *root)
{
    bool alone = json_object_get(root, "data") == NULL && json_object_get(root, "id") != NULL;
    return alone ? json_pack("[O]", root) : NULL;
}

int pages_answer_read(const struct oauth_reply *reply, const json_t *root,
                      struct oauth_answer *answer, struct error *error)
{
    const char *problem;
    bool has_grants = reply->step == STEP_PAGES;
    auto_json json_t *alone = as_list(root);
    const json_t *data = alone != NULL ? alone : find_list(root, OAUTH_PAGES_MAX, &answer->verdict);
    if (data == NULL)
        return 0;
    if (read_pages(data, has_grants, answer, &problem, error) < 0)
        return -1;
    read_total(root, answer);
    if (problem == NULL)
        problem = read_cursor(root, answer);
    if (problem != NULL)
        (void)answer_wrong(&answer->verdict, problem);
    return 0;
}

/* ---- permissions ---- */

int permissions_answer_read(const json_t *root, struct oauth_answer *answer, struct error *error)
{
    const json_t *data = find_list(root, OAUTH_PERMISSIONS_MAX, &answer->verdict);
    size_t index;
    const json_t *item;
    if (data == NULL)
        return 0;
    size_t count = json_array_size(data);
    answer->permissions = calloc(count == 0 ? 1 : count, sizeof(*answer->permissions));
    if (answer->permissions == NULL)
        return error_memory(error);
    json_array_foreach (data, index, item) {
        struct oauth_permission *permission = &answer->permissions[index];
        if (!value_word(json_object_get(item, "permission"), SCOPE_ALPHABET,
                        sizeof(permission->name), permission->name) ||
            !value_word(json_object_get(item, "status"), LETTERS "_", sizeof(permission->status),
                        permission->status)) {
            (void)answer_wrong(&answer->verdict, "a permission of the list has no name or status");
            return 0;
        }
    }
    answer->permission_count = count;
    return 0;
}
