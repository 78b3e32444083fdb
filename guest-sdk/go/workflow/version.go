package workflow

import "strconv"

// Version is a version of a change to a workflow's code.
type Version int

// DefaultVersion is the code before the change.
const DefaultVersion Version = -1

// Patched tells whether this run takes the new side of a change to its code: when it is not replaying, or when history has the
// change's marker. The answer for an id never changes within a run.
func Patched(ctx Context, id string) bool {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.Patched")
	return r.Host.Patched(id, false)
}

// DeprecatePatch says that only the new side of a change is left.
func DeprecatePatch(ctx Context, id string) {
	r := ctx.state().run.runtime
	r.MustWrite("workflow.DeprecatePatch")
	r.Host.Patched(id, true)
}

// GetVersion is the version of a change that this run takes: the newest one where it was not there yet, else the one that it took
// first. Each version is the patch `ID-VERSION`. It panics, and thereby fails the workflow task, if the run has a version that the
// code does not support: any more, or yet. Versions are numbers up to 1,000.
func GetVersion(ctx Context, changeID string, minSupported, maxSupported Version) Version {
	run := ctx.state().run
	version, known := run.versions[changeID]
	if !known {
		version = takenVersion(ctx, changeID, maxSupported)
		if run.versions == nil {
			run.versions = map[string]Version{}
		}
		run.versions[changeID] = version
	}
	if version < minSupported || version > maxSupported {
		panic("longhaul: this run has version " + strconv.Itoa(int(version)) + " of the change " + changeID + ", but the code supports " +
			strconv.Itoa(int(minSupported)) + " to " + strconv.Itoa(int(maxSupported)))
	}
	return version
}

// versionsAbove is how many versions above the newest that the code knows are looked for, to name the one that a newer version of the
// code has taken. The marker of one that is still newer is nondeterminism, as the host says.
const versionsAbove = 10

// versionsMax is the largest version: each is a patch of its own, which is asked for by its number.
const versionsMax = 1000

// takenVersion is the version that a run has taken, or takes now.
func takenVersion(ctx Context, changeID string, maxSupported Version) Version {
	if maxSupported > versionsMax {
		panic("longhaul: version " + strconv.Itoa(int(maxSupported)) + " of the change " + changeID + " is more than " +
			strconv.Itoa(versionsMax) + ", the largest: number the versions of each change 1, 2, 3, ...")
	}
	patched := func(v Version) bool { return Patched(ctx, changeID+"-"+strconv.Itoa(int(v))) }
	for v := maxSupported; v > DefaultVersion; v-- {
		if patched(v) {
			return v
		}
	}
	// In a replay, to ask for a patch that history does not have leaves nothing; otherwise it would be recorded.
	if IsReplaying(ctx) {
		for v := max(maxSupported, DefaultVersion) + 1; v <= maxSupported+versionsAbove; v++ {
			if patched(v) {
				return v
			}
		}
	}
	return DefaultVersion
}
