// me: who is logged in, and what he may. The server decides; this only keeps what it would refuse
// out of sight.

const ranks = ["none", "dj", "operator", "admin"];
const words = { dj: "DJ", operator: "Operator", admin: "Administrator" };

export const me = {
	user: "",
	rank: "none",
	mounts: "*",
	take(answer) {
		Object.assign(this, { user: answer.user, rank: answer.rank, mounts: answer.mounts });
	},
	get rankWord() {
		return words[this.rank] ?? "";
	},
	// For the server as a whole: who is confined to mounts may there do no more than a DJ.
	may(rank) {
		const here = this.mounts === "*" ? this.rank : "dj";

		return ranks.indexOf(here) >= ranks.indexOf(rank);
	},
};
