// Anchor of the shared precompiled header.
namespace forerunner_pch {
int anchor() { return 0; }
} // namespace forerunner_pch
