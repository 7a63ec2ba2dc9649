/** Something about the package that somebody has to put right; its message is all that is printed. */
export class PackageProblem extends Error {}
