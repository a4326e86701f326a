// Runs before anything is drawn, so that a chosen theme does not flash. Not a module for that reason.
try {
	const theme = localStorage.getItem("ringmain.theme");

	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
} catch {
	// Private windows may refuse: then the system's theme is used.
}
