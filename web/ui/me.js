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
	may(rank) {
		return ranks.indexOf(this.rank) >= ranks.indexOf(rank);
	},
};
