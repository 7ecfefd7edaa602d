// Package worker owns one assigned partition: it fetches whole batches, decodes them once, hands them to the sink in
// order, and commits what the sink has stored. A worker that was fenced never commits.
package worker
