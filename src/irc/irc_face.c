#include "irc/irc_face.h"

#include "store/store.h"

const char *irc_face_directory(void)
{
	return store_directory();
}

const struct api_operation irc_operations[] = {{0}};
