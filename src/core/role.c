#include "core/role.h"

struct role on_worker = {'w'};
struct role on_control = {'c'};

_Thread_local enum role_of_thread role_here = ROLE_NONE;
