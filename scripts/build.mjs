// Builds the packages and apps whose build is missing or older than their source.
import { ensureBuilt, ensureInstalled } from './setup.mjs';

ensureInstalled();
ensureBuilt();
