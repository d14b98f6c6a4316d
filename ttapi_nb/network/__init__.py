"""Setting up the network, in one place: proxies, certificates, and which addresses are whose.

What is wrong with the environment is found here, before a byte leaves, and is a `SettingsError` that names the
variable. Nothing in here is touched by what answers offline.
"""
