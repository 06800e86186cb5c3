// The precompiled headers need a target, and the target needs a file.
namespace outbox {}
