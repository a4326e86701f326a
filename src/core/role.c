#include "core/role.h"

struct role on_worker = {'w'};
struct role on_control = {'c'};
struct role on_store = {'s'};

_Thread_local enum role_of_thread role_here = ROLE_NONE;
