/* radio_face: the FACE: Icecast's calls and the pages' own, for people and for other programs.
 *
 *   worker: who may? ─▶ control: the call ─▶ (a baton around the workers) ─▶ answer
 *
 * Every /admin/ call answers XML as Icecast's, or JSON when its path ends in .json. */
#pragma once

#include "edge/route.h"

extern const struct route radio_routes[];
