//! The real API server, where `KUBEBUILDER_ASSETS` names a folder that holds `etcd`,
//! `kube-apiserver` and `kube-controller-manager`: one for the whole test binary.
